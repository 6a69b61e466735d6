"""What WORKSPACE needs where Bazel has no module registry and no network.

Bazel 4 has the Python rules built in, and the interpreter that runs a target, the first
python3 on PATH, has the packages; the BUILD files only need the names to exist.
"""

def _built_in_rules_impl(repository_ctx):
    package = repository_ctx.attr.package
    repository_ctx.file(package + "/BUILD")
    everything = ""
    for rule in repository_ctx.attr.rules:
        line = "{0} = native.{0}\n".format(rule)
        repository_ctx.file("{}/{}.bzl".format(package, rule), line)
        everything += line
    repository_ctx.file(package + "/defs.bzl", everything)

built_in_rules = repository_rule(
    doc = "Offers Bazel's own rules as //PACKAGE:RULE.bzl and, all together, //PACKAGE:defs.bzl.",
    implementation = _built_in_rules_impl,
    attrs = {
        "package": attr.string(mandatory = True),
        "rules": attr.string_list(mandatory = True),
    },
)

_EMPTY = '{}(name = "{}", visibility = ["//visibility:public"])\n'

def _interpreter_packages_impl(repository_ctx):
    lock = repository_ctx.read(repository_ctx.attr.requirements_lock)
    for line in lock.split("\n"):
        if "==" in line and not line.startswith("#"):
            name = line.split("==")[0].split("[")[0].replace("-", "_")
            repository_ctx.file(name + "/BUILD", _EMPTY.format("py_library", name))

interpreter_packages = repository_rule(
    doc = "An empty library for each package of a lock file.",
    implementation = _interpreter_packages_impl,
    attrs = {
        "requirements_lock": attr.label(mandatory = True, allow_single_file = True),
    },
)

def _no_coverage_tools_impl(repository_ctx):
    tools = ["coverage_report_generator", "lcov_merger"]
    empty = [_EMPTY.format("filegroup", tool) for tool in tools]
    repository_ctx.file("BUILD", "".join(empty))

no_coverage_tools = repository_rule(
    doc = "Stands for the tools of `bazel coverage`, which tests ask for and never use.",
    implementation = _no_coverage_tools_impl,
)
