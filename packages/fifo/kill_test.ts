import { killSuite, leakCheck } from "@ipc/core/testing";
import { single } from "./testdata/torture.ts";

leakCheck();

killSuite(single);
