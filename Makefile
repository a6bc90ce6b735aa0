PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# tensorflow-cpu is a third smaller: make train TENSORFLOW=tensorflow-cpu
TENSORFLOW ?= tensorflow

define STATIC
$(RUN) -m ruff format --check .
$(RUN) -m ruff check .
$(RUN) -m mypy
endef

.PHONY: help train check test format docs bench peers clean

help:
	@echo "make train   train the default policy, evaluate it, export it"
	@echo "make check   check format, lint and types, run the tests that take no training and no process"
	@echo "make test    check format, lint and types, run every test"
	@echo "make format  format the code"
	@echo "make docs    build the documentation as a site, in site/"
	@echo "make bench   measure speed, beside that of other libraries after make peers"
	@echo "make peers   make the environments of Stable-Baselines3 and of JAX for the benchmarks"

$(VENV)/installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	sed 's/^tensorflow==/$(TENSORFLOW)==/' requirements.txt > $(VENV)/requirements.txt
	$(RUN) -m pip install --quiet --requirement $(VENV)/requirements.txt
	touch $@

train: $(VENV)/installed
	$(RUN) -m a2c_tf.train

check: $(VENV)/installed
	$(STATIC)
	$(RUN) -m pytest --numprocesses 2 --dist worksteal -m "not process and not training and not slow"

test: $(VENV)/installed
	$(STATIC)
	$(RUN) -m pytest --numprocesses 2 --dist worksteal

format: $(VENV)/installed
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

docs: $(VENV)/installed $(VENV)-docs/installed
	$(RUN) -m docs.notebooks
	$(VENV)-docs/bin/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/python -m mkdocs build --strict
	@echo "built; open site/index.html"

$(VENV)-docs/installed: requirements-docs.txt
	$(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python -m pip install --quiet --requirement requirements-docs.txt
	touch $@

bench: $(VENV)/installed
	$(RUN) -m benchmarks.throughput

peers: requirements.txt requirements-peers.txt requirements-jax.txt
	$(PYTHON) -m venv $(VENV)-peers
	$(VENV)-peers/bin/python -m pip install --quiet --requirement requirements.txt
	$(VENV)-peers/bin/python -m pip install --quiet --requirement requirements-peers.txt
	$(PYTHON) -m venv $(VENV)-jax
	$(VENV)-jax/bin/python -m pip install --quiet --requirement requirements-jax.txt

clean:
	rm -rf $(VENV) $(VENV)-peers $(VENV)-jax $(VENV)-docs site .mypy_cache .pytest_cache .ruff_cache
