-- grain: one row a department and year
-- privacy: public
-- period: vintage
-- keys: department, vintage
-- columns:
--   vintage: year
--   department: INSEE code, as in 01, 2A, 971
--   accidents: accidents with at least one person injured
--   accidents_with_users: those of them whose users are known; killed to unharmed count these only
--   killed: users killed, within 30 days; null where no user is known
--   hospitalised: users in hospital for more than 24 h; compare years of one hospitalised_definition only
--   hospitalised_definition: until 2017, 2018 (recorded in another way) or from 2019 (as 2018, no longer certified)
--   slightly_injured: users injured otherwise
--   unharmed: users unharmed

WITH users AS (
    SELECT
        accident_id,
        count(*) FILTER (WHERE severity = 'killed') AS killed,
        count(*) FILTER (WHERE severity = 'hospitalised') AS hospitalised,
        max(hospitalised_definition) AS definition, -- one a year
        count(*) FILTER (WHERE severity = 'slightly injured') AS slightly_injured,
        count(*) FILTER (WHERE severity = 'unharmed') AS unharmed
    FROM core.accident_users
    GROUP BY accident_id
)
SELECT
    accidents.vintage,
    accidents.department,
    count(*) AS accidents,
    count(users.accident_id) AS accidents_with_users,
    CAST(sum(users.killed) AS BIGINT) AS killed,
    CAST(sum(users.hospitalised) AS BIGINT) AS hospitalised,
    max(users.definition) AS hospitalised_definition,
    CAST(sum(users.slightly_injured) AS BIGINT) AS slightly_injured,
    CAST(sum(users.unharmed) AS BIGINT) AS unharmed
FROM core.accidents AS accidents
LEFT JOIN users ON users.accident_id = accidents.accident_id
WHERE accidents.department IS NOT NULL
GROUP BY accidents.vintage, accidents.department
