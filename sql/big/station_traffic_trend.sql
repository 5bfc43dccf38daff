-- grain: one row a station and year
-- privacy: public
-- period: none
-- keys: uic_code, year
-- columns:
--   uic_code: number of the station; core.stations has its position
--   year: year
--   station: name in the newest edition that knows the station
--   postcode: five digits
--   segment_code: how far the station matters: A nationally, B regionally, C locally
--   edition: newest year of the copy that the counts are from; lower than others where newer copies leave the station out
--   travellers: people who took a train, as estimated by the publisher
--   travellers_and_others: with those who came for another reason
--   change_pct: travellers against the year before, %; null where that year is not known or had none
--   index_2019: travellers, 2019 being 100; null where 2019 is not known or had none

-- Editions restate earlier years, so a change is taken between two years of one edition only.
WITH newest AS (
    SELECT uic_code, max(edition) AS edition
    FROM core.station_traffic
    GROUP BY uic_code
),
names AS (
    SELECT
        traffic.uic_code,
        max(traffic.station) AS station,
        max(traffic.postcode) AS postcode,
        max(traffic.segment_code) AS segment_code
    FROM core.station_traffic AS traffic
    INNER JOIN newest ON newest.uic_code = traffic.uic_code AND newest.edition = traffic.edition
    GROUP BY traffic.uic_code
),
before AS (
    SELECT uic_code, edition, year + 1 AS year, travellers
    FROM core.station_traffic
    WHERE travellers > 0
),
base AS (
    SELECT uic_code, edition, travellers
    FROM core.station_traffic
    WHERE year = 2019 AND travellers > 0
)
SELECT
    traffic.uic_code,
    traffic.year,
    names.station,
    names.postcode,
    names.segment_code,
    traffic.edition,
    traffic.travellers,
    traffic.travellers_and_others,
    round(100 * (traffic.travellers / before.travellers - 1), 1) AS change_pct,
    round(100 * traffic.travellers / base.travellers, 1) AS index_2019
FROM core.station_traffic AS traffic
INNER JOIN names ON names.uic_code = traffic.uic_code
LEFT JOIN before
    ON before.uic_code = traffic.uic_code AND before.edition = traffic.edition AND before.year = traffic.year
LEFT JOIN base ON base.uic_code = traffic.uic_code AND base.edition = traffic.edition
