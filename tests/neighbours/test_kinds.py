from engine.config.sections import NeighboursConfig
from pipelines.neighbours.tables import CO_REVIEWS, Nearness, nearness_options


def test_a_catalogue_too_large_for_a_linear_model_may_have_damped_co_reviews() -> None:
    config = NeighboursConfig(linear_up_to=100, linear_l2=10.0, damping=5.0)
    assert {nearness.form for nearness in nearness_options(101, config)} == {"damped"}
    small = nearness_options(100, config)
    assert {nearness.form for nearness in small} == {"damped", "linear"}
    assert Nearness("linear", 10.0) in small
    assert Nearness("damped", 5.0) in small


def test_a_nearness_names_what_it_is_made_of() -> None:
    assert str(CO_REVIEWS) == "co-reviews"
    assert str(Nearness("damped", 40.0)) == "damped 40"
    assert str(Nearness("linear", 20.0, 0.125)) == "linear 20 and content 0.12"
