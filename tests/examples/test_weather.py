"""An example, and our own dog food: steps of code that knows no workflow, one inside the other, and the clock."""

from __future__ import annotations

import pytest

from pytest_wfreplay import step

asked = []


@step
def ask_the_service(city):
    asked.append(city)
    return {"city": city, "celsius": 21 if city == "Lisbon" else 33}


@step(key="forecast")
def forecast(cities, *, in_fahrenheit=False):
    degrees = [ask_the_service(city)["celsius"] for city in cities]
    return [round(celsius * 1.8 + 32) for celsius in degrees] if in_fahrenheit else degrees


@pytest.mark.wfreplay
def test_the_advice_depends_on_the_weather(wfreplay):
    asked.clear()
    assert step.run("weather", ask_the_service, input="Lisbon") == {"city": "Lisbon", "celsius": 21}
    assert forecast(["Lisbon", "Seville"]) == [21, 33]
    assert forecast(["Lisbon"], in_fahrenheit=True) == [70]
    assert step.now() <= step.now()
    assert asked == ([] if wfreplay.mode == "none" else ["Lisbon", "Lisbon", "Seville", "Lisbon"])
