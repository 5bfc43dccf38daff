-- grain: one row a car, boot and second in which the car sent anything
-- privacy: personal
-- period: day
-- context: 1 day before
-- apart: vehicle
-- keys: vehicle, boot, ts
-- columns:
--   day: UTC day of ts
--   vehicle: pseudonym of the car
--   driver: pseudonym of the driver, the last known in the boot
--   boot: the on-board unit's run that sent it
--   ts: the second, UTC
--   consent: the strictest consent among the readings of the second
--   speed_kmh: speed over ground, km/h
--   engine_rpm: engine speed, revolutions a minute
--   fuel_rate_lph: fuel burnt, litres an hour
--   battery_power_w: power into (+) or out of (-) the traction battery, W
--   acceleration_ms2: longitudinal acceleration, m/s2
--   latitude: WGS 84, degrees
--   longitude: WGS 84, degrees
--   altitude_m: above the WGS 84 ellipsoid, m
--   heading_deg: course over ground from north, degrees
--   fuel_level_pct: fuel in the tank, % of its capacity
--   soc_pct: charge of the traction battery, %
--   coolant_c: engine coolant, degrees Celsius
--   air_c: air outside, degrees Celsius
--   odometer_m: distance in the car's life, m
--   brand: manufacturer
--   model: model
--   powertrain_type: COMBUSTION, HYBRID or ELECTRIC
--   battery_capacity_kwh: net capacity of the traction battery, or the gross one, kWh
--   tank_capacity_l: capacity of the fuel tank, l

-- The last value of each signal in a second; a value then holds for seconds in which the signal is not sent: 10 s for
-- what changes as one drives, 300 s for what changes slowly, the whole boot (as far as the day before) for what the car
-- is. It is never carried from one boot, or from one level of consent, into another.
WITH placed AS (
    SELECT
        vehicle, driver, boot, signal, value, text, consent,
        date_trunc('second', ts) AS instant,
        -- orders the readings of a second: by millisecond, then as they were sent
        date_diff('millisecond', date_trunc('second', ts), ts) * 9000000000000000 + seq * 100000 + "row" AS place
    FROM core.readings
),
seconds AS (
    SELECT
        vehicle,
        boot,
        instant,
        CAST(epoch(instant) AS BIGINT) AS second,
        min(consent) AS consent, -- 'service' sorts before 'service+statistics'
        arg_max(driver, CASE WHEN driver IS NOT NULL THEN place END) AS driver,
        arg_max(value, CASE WHEN signal = 'Vehicle.Speed' THEN place END) AS speed_kmh,
        arg_max(value, CASE WHEN signal = 'Vehicle.Powertrain.CombustionEngine.Speed' THEN place END) AS engine_rpm,
        arg_max(value, CASE WHEN signal = 'Vehicle.OBD.FuelRate' THEN place END) AS fuel_rate_lph,
        arg_max(value, CASE WHEN signal = 'Vehicle.Powertrain.TractionBattery.CurrentPower' THEN place END) AS battery_power_w,
        arg_max(value, CASE WHEN signal = 'Vehicle.Acceleration.Longitudinal' THEN place END) AS acceleration_ms2,
        arg_max(value, CASE WHEN signal = 'Vehicle.CurrentLocation.Latitude' THEN place END) AS latitude,
        arg_max(value, CASE WHEN signal = 'Vehicle.CurrentLocation.Longitude' THEN place END) AS longitude,
        arg_max(value, CASE WHEN signal = 'Vehicle.CurrentLocation.Altitude' THEN place END) AS altitude_m,
        arg_max(value, CASE WHEN signal = 'Vehicle.CurrentLocation.Heading' THEN place END) AS heading_deg,
        arg_max(value, CASE WHEN signal = 'Vehicle.Powertrain.FuelSystem.RelativeLevel' THEN place END) AS fuel_level_pct,
        coalesce(
            arg_max(value, CASE WHEN signal = 'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current' THEN place END),
            arg_max(value, CASE WHEN signal = 'Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed' THEN place END)
        ) AS soc_pct,
        arg_max(value, CASE WHEN signal = 'Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature' THEN place END) AS coolant_c,
        arg_max(value, CASE WHEN signal = 'Vehicle.Exterior.AirTemperature' THEN place END) AS air_c,
        arg_max(value, CASE WHEN signal = 'Vehicle.TraveledDistance' THEN place END) AS odometer_m,
        coalesce(
            arg_max(value, CASE WHEN signal = 'Vehicle.Powertrain.TractionBattery.NetCapacity' THEN place END),
            arg_max(value, CASE WHEN signal = 'Vehicle.Powertrain.TractionBattery.GrossCapacity' THEN place END)
        ) AS battery_capacity_kwh,
        arg_max(value, CASE WHEN signal = 'Vehicle.Powertrain.FuelSystem.TankCapacity' THEN place END) AS tank_capacity_l,
        arg_max(text, CASE WHEN signal = 'Vehicle.VehicleIdentification.Brand' THEN place END) AS brand,
        arg_max(text, CASE WHEN signal = 'Vehicle.VehicleIdentification.Model' THEN place END) AS model,
        arg_max(text, CASE WHEN signal = 'Vehicle.Powertrain.Type' THEN place END) AS powertrain_type
    FROM placed
    GROUP BY vehicle, boot, instant
)
SELECT
    CAST(instant AS DATE) AS day,
    vehicle,
    last_value(driver IGNORE NULLS) OVER run AS driver,
    boot,
    instant AS ts,
    consent,
    last_value(speed_kmh IGNORE NULLS) OVER fast AS speed_kmh,
    last_value(engine_rpm IGNORE NULLS) OVER fast AS engine_rpm,
    last_value(fuel_rate_lph IGNORE NULLS) OVER fast AS fuel_rate_lph,
    last_value(battery_power_w IGNORE NULLS) OVER fast AS battery_power_w,
    last_value(acceleration_ms2 IGNORE NULLS) OVER fast AS acceleration_ms2,
    last_value(latitude IGNORE NULLS) OVER fast AS latitude,
    last_value(longitude IGNORE NULLS) OVER fast AS longitude,
    last_value(altitude_m IGNORE NULLS) OVER fast AS altitude_m,
    last_value(heading_deg IGNORE NULLS) OVER fast AS heading_deg,
    last_value(fuel_level_pct IGNORE NULLS) OVER slow AS fuel_level_pct,
    last_value(soc_pct IGNORE NULLS) OVER slow AS soc_pct,
    last_value(coolant_c IGNORE NULLS) OVER slow AS coolant_c,
    last_value(air_c IGNORE NULLS) OVER slow AS air_c,
    last_value(odometer_m IGNORE NULLS) OVER slow AS odometer_m,
    last_value(brand IGNORE NULLS) OVER run AS brand,
    last_value(model IGNORE NULLS) OVER run AS model,
    last_value(powertrain_type IGNORE NULLS) OVER run AS powertrain_type,
    last_value(battery_capacity_kwh IGNORE NULLS) OVER run AS battery_capacity_kwh,
    last_value(tank_capacity_l IGNORE NULLS) OVER run AS tank_capacity_l
FROM seconds
WINDOW
    fast AS (PARTITION BY vehicle, boot, consent ORDER BY second RANGE BETWEEN 10 PRECEDING AND CURRENT ROW),
    slow AS (PARTITION BY vehicle, boot, consent ORDER BY second RANGE BETWEEN 300 PRECEDING AND CURRENT ROW),
    run AS (PARTITION BY vehicle, boot, consent ORDER BY second ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
