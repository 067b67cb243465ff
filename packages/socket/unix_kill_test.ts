import { killSuite, leakCheck } from "@ipc/core/testing";
import { seqpacket, stream } from "./testdata/unix_torture.ts";

leakCheck();

killSuite(stream);
killSuite(seqpacket);
