-- grain: one row a commune (postcode and name) and year of inspection
-- privacy: public
-- period: vintage
-- keys: postcode, commune, vintage
-- columns:
--   vintage: year of the inspections
--   postcode: `unknown` where the publisher has none; several communes may share one
--   commune: name in capitals without accents, as the editions write it in several ways
--   inspections: inspections published, of restaurants and of every other place that handles food
--   establishments: places inspected, by SIRET or the ministry's number
--   very_satisfactory: inspections with that result
--   satisfactory: inspections with that result
--   to_be_improved: inspections with that result
--   to_be_corrected_urgently: inspections with that result
--   share_satisfactory: of the inspections, satisfactory or better, 0 to 1

WITH inspections AS (
    SELECT
        vintage,
        coalesce(postcode, 'unknown') AS postcode,
        trim(
            replace(
                replace(
                    replace(
                        translate(upper(coalesce(commune_name, 'unknown')), 'ÀÂÄÇÉÈÊËÎÏÔÖÙÛÜŸ-’', 'AAACEEEEIIOOUUUY '''), 'Œ', 'OE'
                    ),
                    '  ', ' '
                ),
                '  ', ' '
            )
        ) AS commune,
        establishment_id,
        level_code
    FROM core.restaurant_inspections
)
SELECT
    vintage,
    postcode,
    commune,
    count(*) AS inspections,
    count(DISTINCT establishment_id) AS establishments,
    count(*) FILTER (WHERE level_code = '1') AS very_satisfactory,
    count(*) FILTER (WHERE level_code = '2') AS satisfactory,
    count(*) FILTER (WHERE level_code = '3') AS to_be_improved,
    count(*) FILTER (WHERE level_code = '4') AS to_be_corrected_urgently,
    count(*) FILTER (WHERE level_code IN ('1', '2')) / count(*) AS share_satisfactory
FROM inspections
GROUP BY vintage, postcode, commune
