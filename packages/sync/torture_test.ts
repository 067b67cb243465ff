import { leakCheck, torture } from "@ipc/core/testing";
import { counted, locked } from "./testdata/torture.ts";

leakCheck();

torture(locked, { only: ["kill"], share: 0.2 });
torture(locked, { only: ["garbage", "open", "1,000", "a reader"], share: 0.4 });
torture(counted, { only: ["kill", "garbage", "a reader"], share: 0.1 });
