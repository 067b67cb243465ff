import { leakCheck, torture } from "@ipc/core/testing";
import { seqpacket, stream } from "./testdata/unix_torture.ts";

leakCheck();

torture(stream, { share: 0.4 });
torture(seqpacket, { only: ["kill", "a reader"], share: 0.1 });
