PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: help train test format bench clean

help:
	@echo "make train   train the default policy, evaluate it, export it"
	@echo "make test    check format, lint and types, run every test"
	@echo "make format  format the code"
	@echo "make bench   measure training speed"

$(VENV)/installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --requirement requirements.txt
	touch $@

train: $(VENV)/installed
	$(RUN) -m a2c_tf.train

test: $(VENV)/installed
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m pytest

format: $(VENV)/installed
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

bench: $(VENV)/installed
	$(RUN) -m benchmarks.throughput

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
