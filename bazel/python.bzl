"""Python programs with what they share, and tests that pytest runs."""

load("@rules_python//python:py_binary.bzl", "py_binary")
load("@rules_python//python:py_library.bzl", "py_library")
load("@rules_python//python:py_test.bzl", "py_test")

def python_programs(name, programs, deps, data = [], testonly = False):
    """Declares all Python files of a folder as a library, and programs among them.

    Args:
      name: Name of the library.
      programs: Files that can be run; each is a target, without ".py".
      deps: What any of the files imports.
      data: Files that they read.
      testonly: Whether only tests may name them.
    """
    py_library(
        name = name,
        testonly = testonly,
        srcs = native.glob(["*.py"]),
        data = data,
        visibility = ["//visibility:public"],
        deps = deps,
    )
    for program in programs:
        py_binary(
            name = program[:-len(".py")],
            testonly = testonly,
            srcs = [program],
            visibility = ["//visibility:public"],
            deps = [":" + name],
        )

def pytest_tests(name, deps, others, slow, exclude):
    """Declares a test for each test_*.py of the folders below this one, as FOLDER/test_NAME.

    The tests of a folder are the suite FOLDER; those of this one are the suite of its name.

    Args:
      name: Name of the suite of this folder.
      deps: What the tests of a folder import or run, by folder.
      others: The same for folders that `deps` does not name.
      slow: Names of the tests that take minutes.
      exclude: Files of tests that cannot run below Bazel.
    """
    files = native.glob(
        ["**/test_*.py"],
        exclude = exclude,
    )
    py_library(
        name = "helpers",
        testonly = True,
        srcs = native.glob(
            ["**/*.py"],
            exclude = files,
        ),
        data = native.glob(["golden/*"]),
        deps = ["//bazel:pytest_main"],
    )
    suites = {folder: [] for folder in deps}
    for file in files:
        folder, _, _ = file.rpartition("/")
        test = file[:-len(".py")]
        suites.setdefault(folder or name, []).append(test)
        py_test(
            name = test,
            size = "large" if test in slow else "medium",
            srcs = [
                file,
                "//bazel:pytest_main.py",
            ],
            args = ["$(rootpath %s)" % file],
            main = "//bazel:pytest_main.py",
            tags = ["slow"] if test in slow else [],
            deps = [":helpers"] + deps.get(folder, others),
        )
    for suite, tests in suites.items():
        if not tests:
            fail("there is no test in %s" % suite)
        native.test_suite(
            name = suite,
            tests = tests,
        )
    for test in slow:
        if test + ".py" not in files:
            fail("there is no %s.py" % test)
