import { leakCheck, torture } from "@ipc/core/testing";
import { bytes, pipe } from "./testdata/torture.ts";

leakCheck();

torture(pipe);
// What the frames are made of: the same calls again, so less of it.
torture(bytes, { only: ["kill"], share: 0.25 });
