-- grain: one row a region and day
-- privacy: public
-- period: month
-- keys: day, region_code
-- columns:
--   month: first day of the month
--   day: day in Paris
--   region_code: INSEE code
--   region: name
--   nature_code: 1 real time, 2 consolidated, 3 definitive: the least final of the day
--   half_hours: half-hours whose consumption is known: 48, and 46 or 50 when the clocks change, in a whole day
--   consumption_mwh: consumed, MWh
--   thermal_mwh: from gas, coal and oil, MWh; like the others null where the region has none
--   nuclear_mwh: nuclear, MWh
--   wind_mwh: wind, MWh
--   solar_mwh: solar, MWh
--   hydro_mwh: hydro, MWh
--   bioenergy_mwh: biomass, biogas and waste, MWh
--   production_mwh: sum of these six, MWh
--   pumping_mwh: into pumped storage, MWh, negative
--   exchange_mwh: from other regions and countries (+) or to them (-), MWh
--   renewable_pct: wind, solar, hydro and bioenergy over production, %
--   covered_pct: production over consumption, %

-- Real time comes every quarter of an hour, what is consolidated every half-hour, and where the latter has replaced the
-- former the quarters in between are still there: each half-hour counts its most final rows, at their mean power.
WITH ranked AS (
    SELECT
        *,
        CAST(epoch(starts_at) AS BIGINT) // 1800 AS half_hour,
        max(nature_code) OVER (PARTITION BY region_code, CAST(epoch(starts_at) AS BIGINT) // 1800) AS best
    FROM core.electricity_regional
),
halves AS (
    SELECT
        day,
        region_code,
        half_hour,
        max(region) AS region,
        max(best) AS nature_code,
        avg(consumption_mw) / 2 AS consumption_mwh,
        avg(thermal_mw) / 2 AS thermal_mwh,
        avg(nuclear_mw) / 2 AS nuclear_mwh,
        avg(wind_mw) / 2 AS wind_mwh,
        avg(solar_mw) / 2 AS solar_mwh,
        avg(hydro_mw) / 2 AS hydro_mwh,
        avg(bioenergy_mw) / 2 AS bioenergy_mwh,
        avg(pumping_mw) / 2 AS pumping_mwh,
        avg(exchange_mw) / 2 AS exchange_mwh
    FROM ranked
    WHERE nature_code = best AND consumption_mw IS NOT NULL
    GROUP BY day, region_code, half_hour
),
days AS (
    SELECT
        day,
        region_code,
        max(region) AS region,
        min(nature_code) AS nature_code,
        count(*) AS half_hours,
        sum(consumption_mwh) AS consumption_mwh,
        sum(thermal_mwh) AS thermal_mwh,
        sum(nuclear_mwh) AS nuclear_mwh,
        sum(wind_mwh) AS wind_mwh,
        sum(solar_mwh) AS solar_mwh,
        sum(hydro_mwh) AS hydro_mwh,
        sum(bioenergy_mwh) AS bioenergy_mwh,
        sum(pumping_mwh) AS pumping_mwh,
        sum(exchange_mwh) AS exchange_mwh,
        coalesce(sum(wind_mwh), 0) + coalesce(sum(solar_mwh), 0) + coalesce(sum(hydro_mwh), 0)
        + coalesce(sum(bioenergy_mwh), 0) AS renewable_mwh
    FROM halves
    GROUP BY day, region_code
),
summed AS (
    SELECT *, renewable_mwh + coalesce(thermal_mwh, 0) + coalesce(nuclear_mwh, 0) AS production_mwh
    FROM days
)
SELECT
    CAST(date_trunc('month', day) AS DATE) AS month,
    day,
    region_code,
    region,
    nature_code,
    half_hours,
    consumption_mwh,
    thermal_mwh,
    nuclear_mwh,
    wind_mwh,
    solar_mwh,
    hydro_mwh,
    bioenergy_mwh,
    production_mwh,
    pumping_mwh,
    exchange_mwh,
    round(100 * renewable_mwh / nullif(production_mwh, 0), 1) AS renewable_pct,
    round(100 * production_mwh / nullif(consumption_mwh, 0), 1) AS covered_pct
FROM summed
