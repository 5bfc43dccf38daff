-- grain: one row a sale: what was sold for one price, in one commune
-- privacy: public
-- period: vintage
-- apart: department
-- keys: sale_id, vintage
-- columns:
--   vintage: year of the sale
--   sale_id: day, parcel, disposition and a number among equal ones; the publisher gives none that lasts
--   sold_on: day of the deed
--   nature: sale, sale off plan, sale of building land, exchange, auction or compulsory purchase
--   nature_fr: the same in French
--   price_eur: of the whole sale, EUR, exact; null where the publisher has none
--   department: INSEE code
--   commune: INSEE code
--   commune_name: as published
--   postcode: of the main part
--   parcel: of the main part, number in the cadastre
--   parcels: parcels with a line in the sale
--   houses: houses sold
--   flats: flats sold
--   outbuildings: garages, cellars and the like
--   business_premises: shops, offices, workshops
--   dwelling_m2: floor area of houses and flats, m2
--   business_m2: floor area of business premises, m2
--   rooms: main rooms of houses and flats
--   land_m2: land, m2
--   longitude: of the main part's parcel, degrees; the raw files have none
--   latitude: of the main part's parcel, degrees; the raw files have none
--   lines: published lines
--   joined_by: what makes them one sale: line (there is one), parcel, run (they follow one another), section
--   ambiguous: the published lines can be read as another number of sales; leave such rows out of sums of prices
--   group_id: sale_id of the first of the rows that may all be one sale; its own where it is not ambiguous so
--   sales_in_group: rows that may all be one sale
--   source_resource: where the lines come from
--   source_line: the first of them

-- The price of a sale stands on each of its lines, and nothing says which lines are one sale: the raw files have no number
-- for it, and since 2026 the one of the géolocalisées is the same for all sales of a day and price, wherever they are.
-- Two sales of one day and price must not become one. So lines are one sale only when they agree in day, price, nature,
-- disposition, department and commune, and
--   in a raw file, follow one another without a gap: the publisher writes a deed's lines together;
--   in the géolocalisées, where that order is lost, have the same mutation_id and lie in the same section of the cadastre;
-- and even then a second thing that sells by itself begins a second sale. That is, by standing: 1 a house, flat or business;
-- 2 building land, or a lot sold off plan; 3 an outbuilding, where there is nothing above; 4 other land never does. Each such
-- thing heads a sale: one for each parcel and set of lots that it is on, as a parcel without lots cannot be sold in parts.
-- The lines of lesser standing go with the head before them. `ambiguous` tells where a head was split from another, where
-- an outbuilding was joined over parcels to one or to land, and where several parcels of land alone were joined.
WITH lines AS (
    SELECT
        vintage, source_resource, source_line, sold_on, nature_code, nature, nature_fr, price_eur, disposition,
        department, commune, commune_name, postcode, mutation_id, local_type_code, built_m2, rooms,
        land_use_code, special_use_code, land_m2, longitude, latitude,
        coalesce(parcel, '') AS place,
        concat_ws('+', lot_1, lot_2, lot_3, lot_4, lot_5) AS lot_names,
        CASE WHEN mutation_id IS NULL THEN '' ELSE substr(coalesce(parcel, ''), 1, 10) END AS section,
        CASE
            WHEN local_type_code IN ('1', '2', '4') THEN 1
            WHEN local_type_code = '3' THEN 3
            WHEN land_use_code = 'AB' OR nature_code = 'Vente terrain à bâtir' THEN 2
            WHEN nature_code = 'Vente en l''état futur d''achèvement' AND lot_1 IS NOT NULL THEN 2
            ELSE 4
        END AS standing,
        -- constant along lines that follow one another
        source_line - row_number() OVER (
            PARTITION BY source_resource, mutation_id, sold_on, nature_code, price_eur, disposition, department
            ORDER BY source_line
        ) AS run
    FROM core.property_sale_lines
),
grouped AS (
    SELECT
        *,
        min(source_line) OVER (
            PARTITION BY
                source_resource, mutation_id, sold_on, nature_code, price_eur, disposition, department,
                CASE WHEN mutation_id IS NULL THEN run ELSE 0 END,
                CASE WHEN mutation_id IS NULL THEN '' ELSE commune END
        ) AS group_line
    FROM lines
),
ranked AS (
    SELECT
        *,
        min(standing) OVER (PARTITION BY source_resource, group_line, commune, section) AS best,
        min(standing) OVER (PARTITION BY source_resource, group_line, commune, section, place) AS best_of_place
    FROM grouped
),
headed AS (
    SELECT
        *,
        CASE
            WHEN standing = best_of_place AND (standing < 3 OR (standing = 3 AND best = 3)) THEN place || '/' || lot_names
        END AS head
    FROM ranked
),
carried AS (
    SELECT
        *,
        coalesce(
            last_value(head IGNORE NULLS) OVER (
                PARTITION BY source_resource, group_line, commune, section ORDER BY source_line
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ),
            first_value(head IGNORE NULLS) OVER (
                PARTITION BY source_resource, group_line, commune, section ORDER BY source_line
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
            ),
            ''
        ) AS main
    FROM headed
),
sold AS (
    SELECT
        *,
        min(source_line) OVER (PARTITION BY source_resource, group_line, commune, section, main) AS sale_line,
        CASE
            WHEN split_part(main, '/', 1) = place THEN 0
            WHEN best < 3 AND standing = 3 THEN 1
            WHEN best = 3 AND standing = 4 THEN 1
            ELSE 0
        END AS doubtful
    FROM carried
),
-- A parcel's locals are repeated for each of its land uses, and its land for each of its locals.
uses AS (
    SELECT DISTINCT source_resource, sale_line, place, land_use_code, special_use_code, land_m2
    FROM sold
),
places AS (
    SELECT source_resource, sale_line, place, count(*) AS uses, sum(land_m2) AS land_m2
    FROM uses
    GROUP BY source_resource, sale_line, place
),
land AS (
    SELECT source_resource, sale_line, count(*) AS parcels, CAST(sum(land_m2) AS BIGINT) AS land_m2
    FROM places
    GROUP BY source_resource, sale_line
),
local_lines AS (
    SELECT source_resource, sale_line, place, lot_names, local_type_code, built_m2, rooms, count(*) AS lines
    FROM sold
    WHERE local_type_code IS NOT NULL
    GROUP BY source_resource, sale_line, place, lot_names, local_type_code, built_m2, rooms
),
locals AS (
    SELECT
        local_lines.source_resource, local_lines.sale_line, local_lines.local_type_code, local_lines.built_m2, local_lines.rooms,
        (local_lines.lines + places.uses - 1) // places.uses AS times
    FROM local_lines
    JOIN places
        ON places.source_resource = local_lines.source_resource
        AND places.sale_line = local_lines.sale_line
        AND places.place = local_lines.place
),
buildings AS (
    SELECT
        source_resource,
        sale_line,
        CAST(sum(CASE WHEN local_type_code = '1' THEN times ELSE 0 END) AS BIGINT) AS houses,
        CAST(sum(CASE WHEN local_type_code = '2' THEN times ELSE 0 END) AS BIGINT) AS flats,
        CAST(sum(CASE WHEN local_type_code = '3' THEN times ELSE 0 END) AS BIGINT) AS outbuildings,
        CAST(sum(CASE WHEN local_type_code = '4' THEN times ELSE 0 END) AS BIGINT) AS business_premises,
        CAST(sum(CASE WHEN local_type_code IN ('1', '2') THEN times * built_m2 END) AS BIGINT) AS dwelling_m2,
        CAST(sum(CASE WHEN local_type_code = '4' THEN times * built_m2 END) AS BIGINT) AS business_m2,
        CAST(sum(CASE WHEN local_type_code IN ('1', '2') THEN times * rooms END) AS BIGINT) AS rooms
    FROM locals
    GROUP BY source_resource, sale_line
),
sales AS (
    SELECT
        vintage, source_resource, sale_line, group_line, sold_on, nature, nature_fr, price_eur, disposition,
        department, commune,
        mutation_id IS NULL AS is_raw,
        max(best) AS best,
        max(doubtful) AS doubtful,
        count(*) AS lines,
        min(commune_name) AS commune_name,
        -- of the head, that is of the first among the lines that stand highest and say it
        arg_min(place, standing * 10000000000 + source_line) AS place,
        arg_min(postcode, CASE WHEN postcode IS NOT NULL THEN standing * 10000000000 + source_line END) AS postcode,
        arg_min(longitude, CASE WHEN longitude IS NOT NULL THEN standing * 10000000000 + source_line END) AS longitude,
        arg_min(latitude, CASE WHEN latitude IS NOT NULL THEN standing * 10000000000 + source_line END) AS latitude
    FROM sold
    GROUP BY
        vintage, source_resource, sale_line, group_line, sold_on, nature, nature_fr, price_eur, disposition,
        department, commune, mutation_id IS NULL
),
named AS (
    SELECT
        *,
        concat(
            CAST(sold_on AS VARCHAR), ' ', CASE WHEN place = '' THEN commune ELSE place END, ' ',
            CAST(disposition AS VARCHAR), '.',
            CAST(
                row_number() OVER (
                    PARTITION BY sold_on, CASE WHEN place = '' THEN commune ELSE place END, disposition
                    ORDER BY source_resource, sale_line
                ) AS VARCHAR
            )
        ) AS sale_id,
        count(*) OVER (PARTITION BY source_resource, group_line) AS sales_in_group
    FROM sales
)
SELECT
    named.vintage,
    named.sale_id,
    named.sold_on,
    named.nature,
    named.nature_fr,
    named.price_eur,
    named.department,
    named.commune,
    named.commune_name,
    named.postcode,
    nullif(named.place, '') AS parcel,
    land.parcels,
    coalesce(buildings.houses, 0) AS houses,
    coalesce(buildings.flats, 0) AS flats,
    coalesce(buildings.outbuildings, 0) AS outbuildings,
    coalesce(buildings.business_premises, 0) AS business_premises,
    buildings.dwelling_m2,
    buildings.business_m2,
    buildings.rooms,
    land.land_m2,
    named.longitude,
    named.latitude,
    named.lines,
    CASE
        WHEN named.lines = 1 THEN 'line'
        WHEN land.parcels = 1 THEN 'parcel'
        WHEN named.is_raw THEN 'run'
        ELSE 'section'
    END AS joined_by,
    (named.sales_in_group > 1 OR named.doubtful = 1 OR (named.best = 4 AND land.parcels > 1)) AS ambiguous,
    first_value(named.sale_id) OVER (
        PARTITION BY named.source_resource, named.group_line ORDER BY named.sale_line
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    ) AS group_id,
    named.sales_in_group,
    named.source_resource,
    named.sale_line AS source_line
FROM named
JOIN land ON land.source_resource = named.source_resource AND land.sale_line = named.sale_line
LEFT JOIN buildings ON buildings.source_resource = named.source_resource AND buildings.sale_line = named.sale_line
