# Two commands matter: `make discover` runs the main job, `make test` runs everything that must hold.
# Both set up what they need: a virtual environment in .venv with the versions of constraints.txt.

PYTHON ?= python3
DATA ?= noether_discover/data/examples/pendulum.csv
NAME := $(basename $(notdir $(firstword $(DATA))))
BIN := .venv/bin

.PHONY: discover test test-slow lint docs benchmarks clean

discover: .venv/.runs
	@mkdir -p out
	@$(BIN)/noether-discover discover $(DATA) -o out/$(NAME).noether --latex out/$(NAME).tex || [ $$? -eq 3 ]

test: lint
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

test-slow: .venv/.develops
	$(BIN)/python -m pytest -q -m slow

lint: .venv/.develops
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/.develops
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

benchmarks: .venv/.develops
	$(BIN)/python benchmarks/speed_of_discovery.py
	$(BIN)/python benchmarks/paper_systems.py
	$(BIN)/python benchmarks/known_systems.py
	$(BIN)/python benchmarks/fresh_systems.py
	$(BIN)/python benchmarks/no_false_laws.py
	$(BIN)/python benchmarks/data_needed.py
	$(BIN)/python benchmarks/errors_of_coefficients.py
	$(BIN)/python benchmarks/baselines_of_laws.py
	$(BIN)/python benchmarks/cost.py --large
	$(BIN)/python benchmarks/many_rows.py
	$(BIN)/python benchmarks/cluster_overhead.py
	$(BIN)/python benchmarks/speed_of_ranking.py
	$(BIN)/python benchmarks/ranking_separates.py
	$(BIN)/python benchmarks/ideal_pendulum.py
	$(BIN)/python benchmarks/ideal_spring.py
	$(BIN)/python benchmarks/real_pendulum.py
	$(BIN)/python benchmarks/few_trajectories.py
	$(BIN)/python benchmarks/inner_steps.py
	$(BIN)/python benchmarks/generalisation_gap.py
	$(BIN)/python benchmarks/video_oracle.py
	$(BIN)/python benchmarks/pixel_pendulum.py
	$(BIN)/python benchmarks/ramp_objects.py
	$(BIN)/python benchmarks/energy_from_pixels.py

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=/path/to/python") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv .venv

.venv/.runs: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/.develops: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ .venv/.runs

clean:
	rm -rf .venv out build docs/_build docs/_pictures *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
