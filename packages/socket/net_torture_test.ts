import { leakCheck, torture } from "@ipc/core/testing";
import { tcp, ws } from "./testdata/net_torture.ts";

leakCheck();

torture(tcp, { only: ["kill"], share: 0.1 });
torture(tcp, { only: ["garbage", "open", "1,000", "a reader"], share: 0.25 });
torture(ws, { only: ["kill", "garbage", "open"], share: 0.05 });
