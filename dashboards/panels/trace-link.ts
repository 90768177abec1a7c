/** Grafana's variables, which must reach it as they are inside an encoded link. */
const VARIABLES = {
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: Grafana fills them in.
  TRACES: '${traces}',
  STORE: '${store:regex}',
  FROM: '${__from}',
  TO: '${__to}',
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: Grafana fills them in.
};

/**
 * Explore, with the traces of the chosen stores in the Tempo that the dashboard's variable `traces`
 * names.
 */
export const TRACES_OF_STORE = Object.entries(VARIABLES).reduce(
  (url, [name, variable]) => url.replaceAll(name, variable),
  `/explore?schemaVersion=1&panes=${encodeURIComponent(
    JSON.stringify({
      traces: {
        datasource: 'TRACES',
        queries: [
          {
            refId: 'A',
            datasource: { type: 'tempo', uid: 'TRACES' },
            queryType: 'traceql',
            query: '{ span.db.system.name = "tidemark" && span.db.namespace =~ "STORE" }',
          },
        ],
        range: { from: 'FROM', to: 'TO' },
      },
    }),
  )}`,
);
