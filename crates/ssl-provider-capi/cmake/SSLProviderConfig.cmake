# Defines SSLProvider::SSLProvider, the shared library, and SSLProvider::SSLProvider_static, each if
# it is installed. The library directory is found by sslprovider.pc, and the system libraries that
# the static library needs are read from it.

get_filename_component(_SSLProvider_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." REALPATH)
file(GLOB _SSLProvider_pc
    "${_SSLProvider_prefix}/lib*/pkgconfig/sslprovider.pc"
    "${_SSLProvider_prefix}/lib/*/pkgconfig/sslprovider.pc")
list(GET _SSLProvider_pc 0 _SSLProvider_pc)
get_filename_component(_SSLProvider_libdir "${_SSLProvider_pc}/../.." REALPATH)

set(_SSLProvider_file "${_SSLProvider_libdir}/libsslprovider${CMAKE_SHARED_LIBRARY_SUFFIX}")
if(EXISTS "${_SSLProvider_file}" AND NOT TARGET SSLProvider::SSLProvider)
    add_library(SSLProvider::SSLProvider SHARED IMPORTED)
    set_target_properties(SSLProvider::SSLProvider PROPERTIES
        IMPORTED_LOCATION "${_SSLProvider_file}"
        INTERFACE_INCLUDE_DIRECTORIES "${_SSLProvider_prefix}/include")
endif()

set(_SSLProvider_file "${_SSLProvider_libdir}/libsslprovider${CMAKE_STATIC_LIBRARY_SUFFIX}")
if(EXISTS "${_SSLProvider_file}" AND NOT TARGET SSLProvider::SSLProvider_static)
    file(STRINGS "${_SSLProvider_pc}" _SSLProvider_private REGEX "^Libs.private: ")
    string(REGEX REPLACE "^Libs.private: " "" _SSLProvider_private "${_SSLProvider_private}")
    separate_arguments(_SSLProvider_private UNIX_COMMAND "${_SSLProvider_private}")
    add_library(SSLProvider::SSLProvider_static STATIC IMPORTED)
    set_target_properties(SSLProvider::SSLProvider_static PROPERTIES
        IMPORTED_LOCATION "${_SSLProvider_file}"
        INTERFACE_INCLUDE_DIRECTORIES "${_SSLProvider_prefix}/include"
        INTERFACE_LINK_LIBRARIES "${_SSLProvider_private}")
endif()
