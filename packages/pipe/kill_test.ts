import { killSuite, leakCheck } from "@ipc/core/testing";
import { pipe } from "./testdata/torture.ts";

leakCheck();

killSuite(pipe);
