"""What is written down about a further command in a container, once it runs or has ended."""

import msgspec

from sampan.engine.containers.contract import ExecDetail
from sampan.engine.contract import EngineError
from sampan.engine.state import State
from sampan.host.processes import ProcessIdentity

KIND = "execution"


class ExecutionRecord(msgspec.Struct, frozen=True):
    """`process` is there for one that runs."""

    detail: ExecDetail
    process: ProcessIdentity | None = None


async def write(state: State, record: ExecutionRecord) -> None:
    """On the disk when it returns. Raises EngineError."""
    await state.put(KIND, record.detail.identifier, msgspec.json.encode(record))


async def written(state: State) -> dict[str, ExecutionRecord]:
    """All that an earlier process has left, by identifier. Raises EngineError."""
    documents = await state.documents(KIND)
    try:
        return {
            key: msgspec.json.decode(document, type=ExecutionRecord)
            for key, document in documents.items()
        }
    except msgspec.DecodeError as error:
        raise EngineError(f"the record of a command can't be read: {error}") from error
