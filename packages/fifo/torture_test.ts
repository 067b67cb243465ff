import { leakCheck, torture } from "@ipc/core/testing";
import { several, single } from "./testdata/torture.ts";

leakCheck();

torture(single);
torture(several, { only: ["kill"], share: 0.25 });
