-- grain: one row a trip of a car
-- privacy: personal
-- period: day
-- context: 1 day before, 1 day after
-- apart: vehicle
-- keys: trip_id
-- columns:
--   day: UTC day on which the trip began
--   trip_id: the car and the second it began
--   vehicle: pseudonym of the car
--   driver: pseudonym of the driver, the last known on the trip
--   started_at: first second at 1 km/h or more, UTC
--   ended_at: last second at 1 km/h or more, UTC
--   duration_s: from the one to the other, s
--   distance_km: integral of speed, km
--   mean_speed_kmh: distance over duration, stops included, km/h
--   max_speed_kmh: highest speed, forwards or backwards, km/h
--   idle_s: time below 1 km/h, s
--   fuel_l: integral of the fuel rate, l; null where it is not known
--   energy_kwh: drawn from the traction battery, kWh; from its power, else from its charge and capacity
--   fuel_l_per_100km: fuel over distance, l/100 km
--   energy_kwh_per_100km: energy over distance, kWh/100 km
--   start_latitude: first known position, WGS 84, degrees
--   start_longitude: first known position, WGS 84, degrees
--   end_latitude: last known position, WGS 84, degrees
--   end_longitude: last known position, WGS 84, degrees
--   brand: manufacturer
--   model: model
--   powertrain_type: COMBUSTION, HYBRID or ELECTRIC
--   consent: the strictest consent on the trip
--   samples: seconds with a known speed

-- A trip runs from one second of movement (1 km/h or more) to another. 300 s without movement end it, be it that the
-- car stands or that nothing is heard of it; so does a new boot after 60 s of silence, while a reboot on the road does
-- not. Standing before the first and after the last movement belongs to no trip. Trips under 200 m or 60 s are
-- manoeuvres and left out. Between two samples speed changes evenly; of a silence longer than 60 s only 60 s count
-- towards distance, fuel and energy: beyond that nobody knows. Fuel rate and battery power count when they are known for
-- nine tenths of the trip.
WITH ordered AS (
    SELECT
        *,
        abs(speed_kmh) AS pace_kmh, -- a car that reverses, with a speed below 0, moves all the same
        CAST(epoch(ts) AS BIGINT) AS second,
        row_number() OVER car AS place,
        CASE WHEN boot <> lag(boot) OVER car AND epoch(ts) - lag(epoch(ts)) OVER car >= 60 THEN 1 ELSE 0 END AS is_parted
    FROM core.samples
    WHERE speed_kmh IS NOT NULL
    WINDOW car AS (PARTITION BY vehicle ORDER BY ts, boot)
),
parted AS (
    SELECT *, sum(is_parted) OVER (PARTITION BY vehicle ORDER BY place) AS part
    FROM ordered
),
moved AS (
    SELECT
        *,
        max(CASE WHEN pace_kmh >= 1 THEN second END) OVER (
            PARTITION BY vehicle, part ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS moved_before
    FROM parted
),
numbered AS (
    SELECT
        *,
        sum(CASE WHEN pace_kmh >= 1 AND (moved_before IS NULL OR second - moved_before >= 300) THEN 1 ELSE 0 END) OVER (
            PARTITION BY vehicle, part ORDER BY place
        ) AS number
    FROM moved
),
bounded AS (
    SELECT *, max(CASE WHEN pace_kmh >= 1 THEN second END) OVER (PARTITION BY vehicle, part, number) AS last_second
    FROM numbered
    WHERE number > 0
),
steps AS (
    SELECT
        *,
        CASE WHEN second - lag(second) OVER trip > 60 THEN 60 ELSE second - lag(second) OVER trip END AS step_s,
        (pace_kmh + lag(pace_kmh) OVER trip) / 2 AS step_speed_kmh,
        (fuel_rate_lph + lag(fuel_rate_lph) OVER trip) / 2 AS step_fuel_lph,
        (battery_power_w + lag(battery_power_w) OVER trip) / 2 AS step_power_w
    FROM bounded
    WHERE second <= last_second
    WINDOW trip AS (PARTITION BY vehicle, part, number ORDER BY place)
),
trips AS (
    SELECT
        vehicle,
        arg_max(driver, place) FILTER (WHERE driver IS NOT NULL) AS driver,
        min(second) AS first_second,
        min(ts) AS started_at,
        max(ts) AS ended_at,
        max(second) - min(second) AS duration_s,
        sum(step_speed_kmh * step_s) / 3600 AS distance_km,
        max(pace_kmh) AS max_speed_kmh,
        coalesce(sum(step_s) FILTER (WHERE pace_kmh < 1), 0) AS idle_s,
        CASE WHEN sum(step_s) FILTER (WHERE step_fuel_lph IS NOT NULL) >= 0.9 * sum(step_s)
            THEN sum(step_fuel_lph * step_s) / 3600
        END AS fuel_l,
        coalesce(
            CASE WHEN sum(step_s) FILTER (WHERE step_power_w IS NOT NULL) >= 0.9 * sum(step_s)
                THEN sum(-step_power_w * step_s) / 3600000
            END,
            (
                arg_min(soc_pct, place) FILTER (WHERE soc_pct IS NOT NULL)
                - arg_max(soc_pct, place) FILTER (WHERE soc_pct IS NOT NULL)
            ) / 100 * max(battery_capacity_kwh)
        ) AS energy_kwh,
        arg_min(latitude, place) FILTER (WHERE latitude IS NOT NULL) AS start_latitude,
        arg_min(longitude, place) FILTER (WHERE longitude IS NOT NULL) AS start_longitude,
        arg_max(latitude, place) FILTER (WHERE latitude IS NOT NULL) AS end_latitude,
        arg_max(longitude, place) FILTER (WHERE longitude IS NOT NULL) AS end_longitude,
        arg_max(brand, place) FILTER (WHERE brand IS NOT NULL) AS brand,
        arg_max(model, place) FILTER (WHERE model IS NOT NULL) AS model,
        arg_max(powertrain_type, place) FILTER (WHERE powertrain_type IS NOT NULL) AS powertrain_type,
        min(consent) AS consent, -- 'service' sorts before 'service+statistics'
        count(*) AS samples
    FROM steps
    GROUP BY vehicle, part, number
)
SELECT
    CAST(started_at AS DATE) AS day,
    vehicle || '-' || CAST(first_second AS VARCHAR) AS trip_id,
    vehicle,
    driver,
    started_at,
    ended_at,
    duration_s,
    round(distance_km, 6) AS distance_km,
    round(distance_km / duration_s * 3600, 3) AS mean_speed_kmh,
    max_speed_kmh,
    CAST(idle_s AS BIGINT) AS idle_s,
    round(fuel_l, 6) AS fuel_l,
    round(energy_kwh, 6) AS energy_kwh,
    round(fuel_l / distance_km * 100, 3) AS fuel_l_per_100km,
    round(energy_kwh / distance_km * 100, 3) AS energy_kwh_per_100km,
    start_latitude,
    start_longitude,
    end_latitude,
    end_longitude,
    brand,
    model,
    powertrain_type,
    consent,
    samples
FROM trips
WHERE distance_km >= 0.2 AND duration_s >= 60
