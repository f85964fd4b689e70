/** A store without threads, for tests that look into it: quicker, and seen by the coverage, which threads are not. */
export { openSnapshot, openStoreHere } from '../../src/store/store.ts'
