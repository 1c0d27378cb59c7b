// Shows the schema. Requests that somebody tries go out with what they typed under Authorize.
"use strict";
window.SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: document.getElementById("swagger-ui").dataset.schema,
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  docExpansion: "none",
  persistAuthorization: false,
});
