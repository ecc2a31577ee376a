# `make demo` trains a joint model on this machine; `make test` passes the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test check bench full-size clean

demo: $(VENV)/installed
	@$(BIN)/tally demo

test: $(VENV)/installed-for-tests check
	@tests/install-servers.sh $(abspath $(VENV))
	@$(BIN)/pytest --numprocesses 2 --dist loadfile --durations 25

check: $(VENV)/installed-for-tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# Encrypted kernels, then scoring by SQL beside pandas and Arrow: minutes on a quiet machine.
# `pip install sf-heu` before adds HEU to the tables. More engines, ten million rows:
# python -m benchmarks.scoring --help. A request over RabbitMQ: python -m benchmarks.serve_latency.
bench: $(VENV)/installed-for-tests
	@$(BIN)/python -m benchmarks.kernels --out benchmarks/results/latest.json
	@$(BIN)/pip install --quiet --disable-pip-version-check pandas
	@$(BIN)/python -m benchmarks.scoring --repeats 3 --out benchmarks/results/scoring.json

# A whole training of 66,274 customers x (65 + 3,000) variables, by three parties over RabbitMQ:
# ten minutes on two idle cores, 5 GB of disk.
full-size: $(VENV)/installed-for-tests
	@$(BIN)/python -m benchmarks.full_size --out benchmarks/results/full-size.json

$(VENV)/installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fast]'
	@touch $@

$(VENV)/installed-for-tests: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fast,test]'
	@touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV)
