"""A package of Python files as one library, and tests that pytest runs."""

load("@rules_python//python:py_library.bzl", "py_library")
load("@rules_python//python:py_test.bzl", "py_test")

def python_package(deps):
    """Declares all Python files of a folder as a library of the folder's name.

    Args:
      deps: The packages that it imports and that no other of these brings.
    """
    py_library(
        name = native.package_name().split("/")[-1],
        srcs = native.glob(["*.py"]),
        visibility = ["//visibility:public"],
        deps = deps,
    )

def pytest_tests(name, deps, data = [], slow = [], exclude = []):
    """Declares a test for each test_*.py of the folder, and a suite of them all.

    The folder's other Python files, conftest.py among them, are the library "helpers".

    Args:
      name: Name of the suite.
      deps: What any file of the folder imports or runs.
      data: Files that the tests read.
      slow: Names of the tests that take minutes, without ".py".
      exclude: Files of tests that cannot run below Bazel.
    """
    files = native.glob(
        ["test_*.py"],
        exclude = exclude,
    )
    tests = [file[:-len(".py")] for file in files]
    for test in slow:
        if test not in tests:
            fail("there is no %s.py" % test)
    py_library(
        name = "helpers",
        testonly = True,
        srcs = native.glob(
            ["*.py"],
            allow_empty = True,
            exclude = ["test_*.py"],
        ),
        data = data,
        visibility = ["//tests:__subpackages__"],
        deps = deps + ["//bazel:pytest_main"],
    )
    for test in tests:
        py_test(
            name = test,
            size = "large" if test in slow else "medium",
            srcs = [
                test + ".py",
                "//bazel:pytest_main.py",
                "//tests:conftest.py",
            ],
            args = ["$(rootpath %s.py)" % test],
            main = "//bazel:pytest_main.py",
            tags = ["slow"] if test in slow else [],
            deps = [":helpers"],
        )
    native.test_suite(
        name = name,
        tests = tests,
    )
