-- grain: one row a commune with a public charge point
-- privacy: public
-- period: none
-- keys: commune
-- columns:
--   commune: INSEE code; `unknown` for points of which the publisher does not say it
--   department: INSEE code; null where the commune is unknown
--   points: charge points
--   stations: stations, by roaming id, else by name and address
--   points_unidentified: points without a roaming id, of which two rows may be one point
--   points_fast: points of 50 kW and more
--   points_ultra_fast: points of 150 kW and more
--   power_kw: greatest power of all points together, kW
--   most_power_kw: of the strongest point, kW
--   points_open_to_all: points that anybody may use
--   points_always_open: points open 24 hours a day
--   points_accessible: points that people with reduced mobility can reach, reserved for them or not
--   updated_on: latest date of any of the descriptions

SELECT
    coalesce(commune, 'unknown') AS commune,
    CASE WHEN commune LIKE '97%' OR commune LIKE '98%' THEN substr(commune, 1, 3) ELSE substr(commune, 1, 2) END AS department,
    count(*) AS points,
    count(DISTINCT coalesce(station_id, concat(station_name, ' ', address))) AS stations,
    count(*) FILTER (WHERE NOT identified) AS points_unidentified,
    count(*) FILTER (WHERE power_kw >= 50) AS points_fast,
    count(*) FILTER (WHERE power_kw >= 150) AS points_ultra_fast,
    sum(power_kw) AS power_kw,
    max(power_kw) AS most_power_kw,
    count(*) FILTER (WHERE access = 'open to all') AS points_open_to_all,
    count(*) FILTER (WHERE opening_hours LIKE '%24/7%') AS points_always_open,
    count(*) FILTER (WHERE accessibility_code IN ('Réservé PMR', 'Accessible mais non réservé PMR')) AS points_accessible,
    max(updated_on) AS updated_on
FROM core.charge_points
GROUP BY commune
