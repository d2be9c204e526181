# Every target is one or two plain commands. `make` documents and installs.
R ?= R
RSCRIPT ?= Rscript
BUILD ?= build
JOBS ?= 2

all: document install

document:
	$(RSCRIPT) tools/document.R

install:
	MAKEFLAGS=-j$(JOBS) $(R) CMD INSTALL --no-multiarch .

core:
	cmake -S tests/cpp -B $(BUILD)
	cmake --build $(BUILD) --target compert_core -j $(JOBS)

test-core:
	tools/test cpp

test:
	tools/test

golden:
	tools/test golden

check:
	tools/test check

format:
	clang-format -i $$(git ls-files 'src/core/*.cpp' 'src/core/*.h' 'src/glue_*' 'tests/cpp/*.cpp' 'tests/cpp/*.h' 'tools/*.cpp')

lint:
	$(RSCRIPT) -e 'lints <- lintr::lint_package(); print(lints); quit(status = length(lints) > 0)'
	run-clang-tidy -quiet -p $(BUILD) src/core

warnings:
	cmake -S tests/cpp -B $(BUILD)-warnings -DCMAKE_CXX_FLAGS=-Werror -DCMAKE_CXX_COMPILER_LAUNCHER=
	cmake --build $(BUILD)-warnings -j $(JOBS)

sanitize:
	cmake -S tests/cpp -B $(BUILD)-sanitize -DCOMPERT_SANITIZE=ON
	cmake --build $(BUILD)-sanitize -j $(JOBS) && $(BUILD)-sanitize/core_tests

vignettes:
	$(RSCRIPT) -e 'for (f in list.files("vignettes", "[.]Rmd$$", full.names = TRUE)) rmarkdown::render(f, output_dir = "doc")'

site:
	$(RSCRIPT) -e 'pkgdown::build_site()'

demo:
	tools/demo

clean:
	./cleanup
	rm -rf $(BUILD) $(BUILD)-warnings $(BUILD)-sanitize compert.Rcheck compert_*.tar.gz

.PHONY: all document install core test-core test golden check format lint warnings sanitize vignettes site demo clean
