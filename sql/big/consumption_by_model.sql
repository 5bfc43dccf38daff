-- grain: one row a month and model of car, over trips whose consumption is known
-- privacy: aggregate
-- period: month
-- keys: month, brand, model, powertrain_type
-- columns:
--   month: first day of the month, UTC
--   brand: manufacturer
--   model: model
--   powertrain_type: COMBUSTION, HYBRID or ELECTRIC
--   vehicles: distinct cars
--   dominance: the largest car's share, of distance or of the distance behind a consumption, whichever is more
--   trips: trips
--   distance_km: their length, km
--   fuel_l_per_100km: fuel over distance, l/100 km; null unless every car of the row reports fuel
--   energy_kwh_per_100km: energy from the battery over distance, kWh/100 km; null unless every car reports it

-- No sum over models is published anywhere, so the header names no `totals` to be protected from subtraction.
WITH cars AS (
    SELECT
        CAST(date_trunc('month', day) AS DATE) AS month,
        brand,
        model,
        powertrain_type,
        vehicle,
        count(*) AS trips,
        sum(distance_km) AS distance_km,
        sum(fuel_l) AS fuel_l,
        sum(distance_km) FILTER (WHERE fuel_l IS NOT NULL) AS fuel_km,
        sum(energy_kwh) AS energy_kwh,
        sum(distance_km) FILTER (WHERE energy_kwh IS NOT NULL) AS energy_km
    FROM small.trips
    WHERE (fuel_l IS NOT NULL OR energy_kwh IS NOT NULL)
        AND brand IS NOT NULL AND model IS NOT NULL AND powertrain_type IS NOT NULL
    GROUP BY month, brand, model, powertrain_type, vehicle
)
SELECT
    month,
    brand,
    model,
    powertrain_type,
    count(DISTINCT vehicle) AS vehicles,
    greatest(
        max(distance_km) / sum(distance_km), max(fuel_km) / sum(fuel_km), max(energy_km) / sum(energy_km)
    ) AS dominance,
    CAST(sum(trips) AS BIGINT) AS trips,
    round(sum(distance_km), 1) AS distance_km,
    CASE WHEN count(fuel_l) = count(*) THEN round(sum(fuel_l) / sum(fuel_km) * 100, 2) END AS fuel_l_per_100km,
    CASE WHEN count(energy_kwh) = count(*) THEN round(sum(energy_kwh) / sum(energy_km) * 100, 2) END AS energy_kwh_per_100km
FROM cars
GROUP BY month, brand, model, powertrain_type
