import pytest

from shared.phone import validate_region


@pytest.mark.parametrize(("raw", "region"), [("US", "US"), (" gb ", "GB")])
def test_a_region_is_its_code_in_capitals(raw: str, region: str) -> None:
    assert validate_region(raw) == region


@pytest.mark.parametrize("raw", ["", "UK", "USA", "49", "001"])
def test_an_unknown_region_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match="two-letter region code"):
        validate_region(raw)
