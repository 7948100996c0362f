import { openEtcdMetadata } from '@pawl/metadata';
import { metadataStoreConformance, systemTime } from '@pawl/metadata/testing';
import { startEtcd } from '../support/etcd.js';

metadataStoreConformance('a real etcd', async () => {
  const etcd = await startEtcd();
  const { endpoints } = etcd;
  const store = await openEtcdMetadata({ endpoints, clock: systemTime, timer: systemTime });
  return {
    store,
    close: async () => {
      await store.close();
      await etcd.stop();
    },
  };
});
