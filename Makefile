PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: help train test format bench peers clean

help:
	@echo "make train   train the default policy, evaluate it, export it"
	@echo "make test    check format, lint and types, run every test"
	@echo "make format  format the code"
	@echo "make bench   measure speed, beside that of other libraries after make peers"
	@echo "make peers   make the environments of Stable-Baselines3 and of JAX for the benchmarks"

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
	$(RUN) -m pytest --numprocesses 2 --dist worksteal

format: $(VENV)/installed
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

bench: $(VENV)/installed
	$(RUN) -m benchmarks.throughput

peers: requirements.txt requirements-peers.txt requirements-jax.txt
	$(PYTHON) -m venv $(VENV)-peers
	$(VENV)-peers/bin/python -m pip install --quiet --requirement requirements.txt
	$(VENV)-peers/bin/python -m pip install --quiet --requirement requirements-peers.txt
	$(PYTHON) -m venv $(VENV)-jax
	$(VENV)-jax/bin/python -m pip install --quiet --requirement requirements-jax.txt

clean:
	rm -rf $(VENV) $(VENV)-peers $(VENV)-jax .mypy_cache .pytest_cache .ruff_cache
