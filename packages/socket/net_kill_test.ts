import { killSuite, leakCheck } from "@ipc/core/testing";
import { tcp } from "./testdata/net_torture.ts";

leakCheck();

killSuite(tcp);
