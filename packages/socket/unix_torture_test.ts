import { leakCheck, torture } from "@ipc/core/testing";
import { seqpacket, stream } from "./testdata/unix_torture.ts";

leakCheck();

torture(stream, { only: ["kill"], share: 0.2 });
torture(stream, { only: ["garbage", "open", "1,000", "a reader"], share: 0.4 });
torture(seqpacket, { only: ["kill", "a reader"], share: 0.1 });
