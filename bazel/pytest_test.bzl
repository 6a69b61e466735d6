"""A test that pytest runs."""

load("@rules_python//python:py_test.bzl", "py_test")

def pytest_test(name, srcs, deps, tags = [], **kwargs):
    """Declares a py_test that runs pytest on its files, set up by pyproject.toml.

    Args:
      name: Name of the target.
      srcs: The test files.
      deps: What they import, conftest.py files included.
      tags: With "slow" among them the test may take a quarter of an hour.
      **kwargs: Whatever else py_test takes.
    """
    py_test(
        name = name,
        size = "large" if "slow" in tags else "medium",
        srcs = srcs + ["//bazel:pytest_main.py"],
        args = ["$(rootpath %s)" % src for src in srcs],
        main = "//bazel:pytest_main.py",
        tags = tags,
        deps = deps + ["//bazel:pytest_main"],
        **kwargs
    )
