// Uses the vendor's JavaScript client as its documentation does, and prints what came back as one JSON line.
import { BasicAuth, Client } from '@c8y/client';

const [baseUrl, tenant, user, password] = process.argv.slice(2);
const client = new Client(new BasicAuth({ tenant, user, password }), baseUrl);
const { inventory, measurement } = client;
const ids = (items) => items.map((item) => item.id);
const told = {};

told.tenant = (await client.tenant.current()).data.name;
told.user = (await client.user.current()).data.userName;

const make = async (name, fragments) => (await inventory.create({ name, ...fragments })).data;
const device = await make('js device', { c8y_IsDevice: {}, serial: { number: 7 } });
const second = await make('js device 2', { c8y_IsDevice: {} });
const group = await make('js group', { type: 'c8y_DeviceGroup', c8y_IsDeviceGroup: {} });
told.created = [typeof device.id, device.name, device.serial];

await inventory.childAssetsAdd(device.id, group.id);
await inventory.childAssetsBulkAdd([second.id], group.id);
const child = (await inventory.childAssetsCreate({ name: 'js child' }, group)).data;
const children = await inventory.childAssetsList(group);
told.children = ids(children.data).map((id) => [device.id, second.id, child.id].indexOf(id));
await inventory.childAssetsRemove(child, group);
told.left = (await inventory.childAssetsList(group)).data.length;

told.updated = (await inventory.update({ ...device, name: 'renamed', serial: null })).data;
told.updated = [told.updated.name, told.updated.serial ?? null];
told.detail = (await inventory.detail(device.id)).data.name;
told.filtered = ids((await inventory.list({ fragmentType: 'c8y_IsDeviceGroup', pageSize: 100 })).data).includes(group.id);
told.queried = (await inventory.listQueryDevices({ name: 'renamed', __bygroupid: group.id })).data.map((item) => item.name);

for (let place = 0; place < 7; place += 1) {
  await measurement.create({
    sourceId: device.id,
    time: new Date(Date.UTC(2026, 4, 1, 12, 0, place)).toISOString(),
    c8y_Steam: { T: { value: 20 + place / 2, unit: 'C' } },
  });
}
const bulk = await client.core.fetch('/measurement/measurements', {
  method: 'POST',
  headers: { 'content-type': 'application/vnd.com.nsn.cumulocity.measurementcollection+json', accept: 'application/json' },
  body: JSON.stringify({
    measurements: [1, 2].map((value) => ({
      source: { id: second.id },
      type: 'bulk',
      time: `2026-05-01T12:00:0${value}.000Z`,
      c8y_Steam: { T: { value } },
    })),
  }),
});
told.bulk = [bulk.status, (await bulk.json()).measurements.length];

const values = (items) => items.map((item) => item.c8y_Steam.T.value);
const first = await measurement.list({ source: device.id, pageSize: 3, withTotalPages: true });
told.first = [values(first.data), first.paging.totalPages, first.paging.nextPage];
const next = await first.paging.next();
told.next = values(next.data);
told.newest = values((await measurement.list({ source: device.id, pageSize: 1, revert: true, dateFrom: '1970-01-01' })).data);
const series = await measurement.listSeries({
  source: device.id,
  dateFrom: '2026-05-01T12:00:05.000Z',
  dateTo: '2026-05-01T12:00:06.500Z',
  series: ['c8y_Steam.T'],
});
told.series = series.data;
told.supported = await inventory.getSupportedSeries(device.id);
told.missing = await inventory.detail('999999999').catch(({ res, data }) => [res.status, data.error]);

for (const item of [group, device, second, child]) await inventory.delete(item);
told.gone = await inventory.detail(device.id).catch(({ res }) => res.status);
console.log(JSON.stringify(told));
