import { describeGate } from './gate.fixture.js';

describeGate(3);
