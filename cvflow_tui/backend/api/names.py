"""What a path and a query may hold, as the API's document tells it.

The names' patterns are told here and held behind the routes (`SolverName.parse`, the registry of projects, the job board), whose
errors say more than that a pattern was missed.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query

from cvflow_tui.model.names import NAME

LONGEST_REF = 500
LARGEST = 1 << 63
"""Whole numbers stay below it: the database and the system hold no larger ones."""

PROJECT: dict[str, Any] = {"pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"}
_WORD: dict[str, Any] = {"pattern": f"^{NAME.pattern.replace('a-z', 'A-Za-z')}$"}

VendorPart = Annotated[str, Path(description="The vendor, whatever the case", json_schema_extra=_WORD)]
PackagePart = Annotated[str, Path(description="The package, whatever the case", json_schema_extra=_WORD)]
SolverPart = Annotated[str, Path(description="The solver", json_schema_extra=_WORD)]
ProjectName = Annotated[str, Path(description="A project", json_schema_extra=PROJECT)]
PictureId = Annotated[int, Path(description="A picture's number, as the database can hold it", ge=0, lt=LARGEST)]
JobId = Annotated[str, Path(description="A job", json_schema_extra={"pattern": "^[0-9a-f]{12}$"})]

PackageRef = Annotated[str, Query(description="`vendor/name`, or the name alone where it is unique", max_length=LONGEST_REF)]
SolverRef = Annotated[str, Query(description="`vendor/package/solver`, or less where that is unique", max_length=LONGEST_REF)]
Words = Annotated[str, Query(description="Words to look for", max_length=1000)]
Wait = Annotated[float, Query(description="Seconds that the request may be held", ge=0, le=30)]
