# The console is built by esbuild into three files and put into the program. Without Node or without the locked packages
# a page that says so takes its place.
find_program(NODE node)
set(console_out ${CMAKE_BINARY_DIR}/console)
if(NODE AND EXISTS ${CMAKE_SOURCE_DIR}/console/build.mjs AND EXISTS ${CMAKE_SOURCE_DIR}/deps/npm/node_modules/esbuild)
  file(GLOB_RECURSE console_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/console/src/* ${CMAKE_SOURCE_DIR}/console/*.html)
  add_custom_command(OUTPUT ${console_out}/index.html ${console_out}/app.js ${console_out}/app.css
    COMMAND ${NODE} ${CMAKE_SOURCE_DIR}/console/build.mjs ${console_out}
    DEPENDS ${console_sources} ${CMAKE_SOURCE_DIR}/console/build.mjs)
else()
  file(WRITE ${console_out}/index.html "<!doctype html><title>cairn</title><p>This cairn was built without its console: install Node.js and run make again. The API is at /api/cairn/v1/openapi.json.\n")
  file(WRITE ${console_out}/app.js "\n")
  file(WRITE ${console_out}/app.css "\n")
endif()
cairn_embed(cairn_core console_index_html ${console_out}/index.html)
cairn_embed(cairn_core console_app_js ${console_out}/app.js)
cairn_embed(cairn_core console_app_css ${console_out}/app.css)
