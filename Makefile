# Everything runs in .venv; nothing is installed outside this folder.
#   make demo    the speaking face in the browser: environment, demo avatar, Triton, bridge
#   make test    all tests, with the real Triton in them
#   make test-fast  those that start no server of their own, three quarters of all: for daily work, under 3 minutes
#   make test-faults  kill, stop and flood real processes under viewers, and print what it costs them; 4 minutes
#   make test-compose  the containers: build, serve, crash, recover; needs docker, or root to start an engine
#   make check   formatting, lint, strict types, those of the page's JavaScript too; needs npm
#   make bench   measure this machine; ARGS=--quick to see that it runs

# The Python to make .venv with; requirements/python.sh looks for one, or fetches one into build/.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
TSC := build/javascript/node_modules/.bin/tsc
# All are modules of the name "model", so that each needs a run of mypy to itself.
MODELS := $(wildcard backends/*/model.py embedded/backends/*/model.py)

.PHONY: demo test test-fast test-faults test-compose check bench clean
.DELETE_ON_ERROR:

demo: avatars/demo/avatar.json
	@$(BIN)/python -m triton_lipsync.start $(ARGS)

test: $(VENV)/.test avatars/demo/avatar.json build/perf_analyzer/perf_analyzer
	$(BIN)/pytest --cov $(ARGS)

test-fast: $(VENV)/.test
	$(BIN)/pytest -m 'not compose and not faults and not slow' $(ARGS)

test-faults: $(VENV)/.test
	$(BIN)/pytest -m faults --show-capture=no tests/faults $(ARGS)

test-compose: $(VENV)/.test
	$(BIN)/pytest -m compose tests/compose $(ARGS)

check: $(VENV)/.test $(TSC)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy docker/*.py
	@set -e; for model in $(MODELS); do echo $(BIN)/mypy $$model; $(BIN)/mypy $$model; done
	$(TSC) --project tests/javascript

bench: $(VENV)/.bench build/perf_analyzer/perf_analyzer
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) build avatars

$(VENV)/.serve: pyproject.toml requirements/triton.txt
	@python=$$(sh requirements/python.sh $(PYTHON)) && "$$python" -m venv $(VENV)
	$(BIN)/pip install --quiet --editable . --editable 'clients/python[speech,video]'
	$(BIN)/pip install --quiet --no-deps --requirement requirements/triton.txt
	@sh requirements/libpython.sh $(VENV)
	@touch $@

$(VENV)/.test: $(VENV)/.serve requirements/detect.txt
	$(BIN)/pip install --quiet --editable '.[test]' --editable 'clients/python[http,speech,video]'
	$(BIN)/pip install --quiet --no-deps --requirement requirements/detect.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.serve
	$(BIN)/pip install --quiet --editable '.[bench]'
	@touch $@

# LitServe and Ray Serve, for comparison, and OpenVINO: apart, as their dependencies are not ours.
build/baselines/bin/python: requirements/baselines.txt $(VENV)/.serve
	$(BIN)/python -m venv build/baselines
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$(build/baselines/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth"
	build/baselines/bin/pip install --quiet --requirement $<

# The page needs no package; the compiler that reads its types lies apart from what is served.
$(TSC): tests/javascript/package.json tests/javascript/package-lock.json
	@mkdir -p build/javascript && cp $^ build/javascript
	npm ci --prefix build/javascript --silent --no-audit --no-fund
	@touch $@

avatars/demo/avatar.json: $(VENV)/.serve demo/unet.onnx demo/audio_encoder.onnx export/repository/avatar.py $(wildcard demo/*.py demo/recordings/*)
	$(BIN)/python -m demo.avatar

# The last tritonclient wheel whose perf_analyzer runs on glibc 2.36; the PyPI package perf-analyzer is empty.
build/perf_analyzer/perf_analyzer: $(VENV)/.serve
	@mkdir -p build
	$(BIN)/pip download --quiet --no-deps --dest build tritonclient==2.50.0
	$(BIN)/python -m zipfile -e build/tritonclient-2.50.0-*.whl build/tritonclient
	@mkdir -p $(@D) && mv build/tritonclient/tritonclient-2.50.0.data/data/bin/perf_analyzer $@ && chmod +x $@
