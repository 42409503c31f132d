"""Which shard this is, from what the engine that started this process says.

| engine | number | from | count |
|---|---|---|---|
| AWS Batch, array job | AWS_BATCH_JOB_ARRAY_INDEX | 0 | AWS_BATCH_JOB_ARRAY_SIZE |
| Kubernetes, Indexed Job | JOB_COMPLETION_INDEX | 0 | not said |
| GitLab, `parallel` | CI_NODE_INDEX | 1 | CI_NODE_TOTAL |

https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
https://docs.gitlab.com/ci/variables/predefined_variables/
"""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.errors import UsageError
from provisioner.lazy_dataclass import dataclass
from provisioner.many.shards import Shard

AUTO = "auto"


@dataclass(frozen=True)
class Engine:
    """How an engine says which of several processes this is: names of variables, and the first number."""

    name: str
    index: str
    first: int
    count: str | None = None


ENGINES = (
    Engine("AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", 0, "AWS_BATCH_JOB_ARRAY_SIZE"),
    Engine("Kubernetes", "JOB_COMPLETION_INDEX", 0),
    Engine("GitLab", "CI_NODE_INDEX", 1, "CI_NODE_TOTAL"),
)


def find_shard(text: str, variables: Mapping[str, str]) -> Shard:
    """The shard that `--shard` means: `3/10`; `auto`, what the engine says; `auto/10`, where it does not say
    of how many. The variables are those of the process.

    Raises UsageError where that is no shard, or no engine says which, or several do.
    """
    word, slash, said = text.partition("/")
    if word != AUTO:
        return Shard.parse(text)
    engine = _engine(variables)
    counted = variables.get(engine.count, "") if engine.count else ""
    if slash and counted and said != counted:
        raise UsageError(
            f"--shard {text}, and {engine.count} is {counted}",
            f"write --shard {AUTO}: {engine.name} says of how many",
        )
    if not (said or counted):
        raise UsageError(
            f"{engine.name} does not say of how many shards {engine.index} is one",
            f"write --shard {AUTO}/COUNT, such as {AUTO}/10",
        )
    index = variables[engine.index]
    number = int(index) - engine.first + 1 if index.isascii() and index.isdecimal() else index
    try:
        return Shard.parse(f"{number}/{said or counted}")
    except UsageError:
        source = f"{engine.index} is {index!r}"
        raise UsageError(
            f"{source}, which is none of {said or counted} shards: {engine.name} counts from {engine.first}",
            f"give the job as many parts as --shard has, or write --shard {Shard(1, 10)}",
        ) from None


def _engine(variables: Mapping[str, str]) -> Engine:
    named = [engine for engine in ENGINES if variables.get(engine.index)]
    if len(named) == 1:
        return named[0]
    if named:
        raise UsageError(
            f"{' and '.join(engine.index for engine in named)} are set: which of them is meant is not known",
            f"write --shard NUMBER/COUNT, such as {Shard(3, 10)}",
        )
    names = ", ".join(engine.index for engine in ENGINES)
    raise UsageError(
        f"--shard {AUTO}: none of {names} is set, so it is not known which shard this is",
        f"write --shard NUMBER/COUNT, such as {Shard(3, 10)}",
    )
