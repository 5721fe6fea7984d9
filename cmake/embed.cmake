# cairn_embed(TARGET SYMBOL FILE): the file's bytes as `const unsigned char SYMBOL[]` with `const size_t SYMBOL_len`.
function(cairn_embed target symbol file)
  set(source ${CMAKE_BINARY_DIR}/embed/${symbol}.S)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT
"	.section .rodata
	.global @symbol@
	.balign 16
@symbol@:
	.incbin \"@file@\"
@symbol@_end:
	.byte 0
	.global @symbol@_len
	.balign 8
@symbol@_len:
	.quad @symbol@_end - @symbol@
	.section .note.GNU-stack,\"\",%progbits
")
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${file})
  target_sources(${target} PRIVATE ${source})
endfunction()
