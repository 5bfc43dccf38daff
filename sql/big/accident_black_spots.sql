-- grain: one row a place (H3 cell, about 350 m across) with five accidents or more, over all years
-- privacy: public
-- period: none
-- keys: cell
-- columns:
--   cell: H3 cell of resolution 9
--   latitude: centre of the cell, WGS 84, degrees
--   longitude: centre of the cell, WGS 84, degrees
--   accidents: accidents with at least one person injured
--   accidents_with_users: those of them whose users are known; the next three count these only
--   killed: users killed, within 30 days; null where no user is known
--   hospitalised_until_2017: users in hospital for more than 24 h, as recorded up to 2017; null where no user is known
--   hospitalised_from_2018: the same as recorded since, which cannot be compared or added
--   first_year: year of the earliest of these accidents
--   last_year: year of the latest
--   years_observed: years for which any accident of the country has coordinates

-- Coordinates are written to a metre and good to some tens of metres (an address, a kilometre post): at resolution 10,
-- 130 m across, one junction would fall into several cells, at 12 each accident would be alone.
WITH located AS (
    SELECT accident_id, vintage, h3_cell(latitude, longitude, 9) AS cell
    FROM core.accidents
    WHERE latitude IS NOT NULL AND longitude IS NOT NULL AND (latitude <> 0 OR longitude <> 0)
),
users AS (
    SELECT
        accident_id,
        count(*) FILTER (WHERE severity = 'killed') AS killed,
        count(*) FILTER (WHERE severity = 'hospitalised' AND vintage <= 2017) AS hospitalised_until_2017,
        count(*) FILTER (WHERE severity = 'hospitalised' AND vintage >= 2018) AS hospitalised_from_2018
    FROM core.accident_users
    GROUP BY accident_id
),
observed AS (
    SELECT count(DISTINCT vintage) AS years
    FROM located
),
cells AS (
    SELECT
        located.cell,
        count(*) AS accidents,
        count(users.accident_id) AS accidents_with_users,
        sum(users.killed) AS killed,
        sum(users.hospitalised_until_2017) AS hospitalised_until_2017,
        sum(users.hospitalised_from_2018) AS hospitalised_from_2018,
        min(located.vintage) AS first_year,
        max(located.vintage) AS last_year
    FROM located
    LEFT JOIN users ON users.accident_id = located.accident_id
    WHERE located.cell IS NOT NULL
    GROUP BY located.cell
    HAVING count(*) >= 5
)
SELECT
    cells.cell,
    h3_latitude(cells.cell) AS latitude,
    h3_longitude(cells.cell) AS longitude,
    cells.accidents,
    cells.accidents_with_users,
    CAST(cells.killed AS BIGINT) AS killed,
    CAST(cells.hospitalised_until_2017 AS BIGINT) AS hospitalised_until_2017,
    CAST(cells.hospitalised_from_2018 AS BIGINT) AS hospitalised_from_2018,
    cells.first_year,
    cells.last_year,
    observed.years AS years_observed
FROM cells
CROSS JOIN observed
