"""Prints docs/metrics.md: every metric of the core and of the bundled plugins, from where they are made.

Run it after a change of one: python tools/make_metrics_page.py > docs/metrics.md
"""

from __future__ import annotations

from collections.abc import Iterator

from anonchat.observability.metrics import Metrics
from anonchat.plugins.registry import bundled, load

HEAD = """# Metrics

Made by `tools/make_metrics_page.py`, from the texts that `/metrics` has as well. How to get at it stands in
[self-hosting](self-hosting.md#watch-over-it); of several nodes, and of the workers of one, each tells its own. No label names a
person, a room or an address. All counts begin anew with the process.

## Alert on

| alert on | since |
|---|---|
| `up == 0` | the node does not answer |
| `anonchat_dependency_up == 0`, for a minute \
| without `database` everything that is sent is refused; without `bus` or `ephemeral` \
each node goes on alone, and `/health/ready` stays 200 |
| `anonchat_retention_overdue == 1` | what was promised to be deleted may still be there; log and `anonchat doctor` say why |
| `increase(anonchat_errors_total{code=~"internal\\|plugin_failed\\|storage_full\\|storage_unavailable\\|overloaded"}[5m]) > 0` \
| people are refused through no fault of their own |
| `increase(anonchat_jobs_total{outcome="failed"}[10m]) > 0` | a job failed; the log says why |
| `histogram_quantile(0.99, rate(anonchat_send_seconds_bucket[5m])) > 0.5` | people wait for the disk, or for the database |
| `increase(anonchat_loop_blocked_total[10m]) > 0` | a node stood still for a second; the log says where, and how busy it was |
| `anonchat_plugin_quarantined == 1` | a plugin failed too often, and does not observe until the next start |
| `process_open_fds / process_max_fds > 0.8` | soon nobody else can connect |
| `process_resident_memory_bytes`, against what the machine has for it | |

Each scrape looks at what the node needs, at most once a second, and waits five seconds for it: leave `scrape_timeout` at ten.

## Of the core

`process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_virtual_memory_bytes`, `process_start_time_seconds`,
`process_open_fds` and `process_max_fds` are those that Prometheus' libraries have in every language, on Linux."""

PLUGINS = """
## Of plugins

Those of a plugin that is switched off are not there."""

TABLE = ("", "| metric | kind | meaning |", "|---|---|---|")


def row(name: str, kind: str, text: str) -> str:
    """A line of a table; a counter's name ends as Prometheus shows it."""
    return f"| `{name}{'_total' * (kind == 'counter')}` | {kind} | {text} |"


def lines() -> Iterator[str]:
    """The page."""
    yield HEAD
    yield from TABLE
    for family in Metrics().registry.collect():
        if not family.name.startswith("process_"):  # which are of the system that this runs on
            yield row(family.name, family.type, family.documentation)
    yield PLUGINS
    yield from TABLE
    for plugin, metric in load(bundled()).declared("register_metrics"):
        labels = f" By {' and '.join(metric.labels)}." if metric.labels else ""
        yield row(f"anonchat_{plugin}_{metric.name}", metric.kind, f"{metric.text}{labels}")


if __name__ == "__main__":
    print("\n".join(lines()))
