export { Script } from './script.js';
