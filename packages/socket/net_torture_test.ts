import { leakCheck, torture } from "@ipc/core/testing";
import { tcp } from "./testdata/net_torture.ts";

leakCheck();

// Without the kills: a process that dies with something unread resets its connections, which is told as an error and
// not as the end. How messages fare when one is killed is in net_kill_test.ts and network_test.ts.
torture(tcp, { share: 0.25, only: ["garbage", "open", "1,000", "a reader"] });
