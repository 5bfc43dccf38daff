-- grain: one row a commune, year and kind of dwelling
-- privacy: public
-- period: vintage
-- keys: commune, kind, vintage
-- columns:
--   vintage: year of the sales
--   commune: INSEE code
--   commune_name: as published, the first in the alphabet where a name was written in several ways
--   department: INSEE code
--   kind: house or flat
--   sales: sales of exactly one dwelling and no business premises, with a price and a floor area, ambiguous ones apart
--   total_eur: sum of their prices, EUR, exact
--   median_eur: median price, EUR, to the cent
--   median_eur_per_m2: median of price over floor area, EUR a m2; land and outbuildings count in the price only
--   median_m2: median floor area, m2
--   left_out: sales with a dwelling of the kind that are not counted above: several dwellings, no price, ambiguous

WITH dwellings AS (
    SELECT
        vintage, commune, commune_name, department, price_eur, dwelling_m2,
        CASE WHEN houses >= flats THEN 'house' ELSE 'flat' END AS kind,
        houses + flats = 1
            AND business_premises = 0
            AND nature IN ('sale', 'sale off plan')
            AND price_eur > 0
            AND dwelling_m2 > 0
            AND NOT ambiguous AS counts
    FROM core.property_sales
    WHERE houses + flats > 0
)
SELECT
    vintage,
    commune,
    min(commune_name) AS commune_name,
    department,
    kind,
    count(*) FILTER (WHERE counts) AS sales,
    CAST(sum(price_eur) FILTER (WHERE counts) AS DECIMAL(38, 2)) AS total_eur,
    CAST(median(price_eur) FILTER (WHERE counts) AS DECIMAL(18, 2)) AS median_eur,
    round(median(price_eur / dwelling_m2) FILTER (WHERE counts), 2) AS median_eur_per_m2,
    median(dwelling_m2) FILTER (WHERE counts) AS median_m2,
    count(*) FILTER (WHERE counts IS NOT TRUE) AS left_out
FROM dwellings
GROUP BY vintage, commune, department, kind
