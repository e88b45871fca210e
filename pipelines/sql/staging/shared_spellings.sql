-- One row per change to the spelling of ids, such as lower case, that makes more ids of reviews occur in the metadata.
-- The row has the number of movies that have metadata after the change, and two examples; the largest number comes
-- first.
with reviewed as (
    select movie_id from reviewed_movies
),
described as (
    select distinct movie_id from metadata_lines where reason is null
),
spelled as (
    select side, movie_id, unnest([
        {reason: 'letter case', spelling: lower(movie_id)},
        {reason: 'leading zeros', spelling: ltrim(movie_id, '0')},
        {reason: 'the ending .0', spelling: regexp_replace(movie_id, '\.0+$', '')},
        {reason: 'spaces and punctuation', spelling: regexp_replace(movie_id, '[^\pL\pN]', '', 'g')},
        {reason: 'what stands before the number', spelling: ltrim(regexp_extract(movie_id, '[0-9]+$'), '0')}
    ], recursive := true)
    from (select 'review' as side, movie_id from reviewed union all select 'metadata', movie_id from described)
),
pairs as (
    select one.reason, one.movie_id, min(other.movie_id) as other_id
    from spelled as one
    join spelled as other using (reason, spelling)
    where one.side = 'review' and other.side = 'metadata' and one.spelling <> ''
    group by one.reason, one.movie_id
),
final as (
    select
        reason,
        count(*) as num_movies,
        arg_min([movie_id, other_id], movie_id, 2) filter (movie_id <> other_id) as examples
    from pairs
    group by reason
    having examples is not null
)
select * from final order by num_movies desc, reason
