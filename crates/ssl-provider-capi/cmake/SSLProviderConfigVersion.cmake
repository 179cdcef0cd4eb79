# Reads the version from sslprovider.pc. It is compatible with requests for the same or an older
# version with the same soname: the same major version, and before 1.0 the same minor version too.

get_filename_component(_SSLProvider_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." REALPATH)
file(GLOB _SSLProvider_pc
    "${_SSLProvider_prefix}/lib*/pkgconfig/sslprovider.pc"
    "${_SSLProvider_prefix}/lib/*/pkgconfig/sslprovider.pc")
list(GET _SSLProvider_pc 0 _SSLProvider_pc)
file(STRINGS "${_SSLProvider_pc}" PACKAGE_VERSION REGEX "^Version: ")
string(REGEX REPLACE "^Version: " "" PACKAGE_VERSION "${PACKAGE_VERSION}")

string(REGEX MATCH "^(0\\.)?[0-9]+" _SSLProvider_installed "${PACKAGE_VERSION}")
string(REGEX MATCH "^(0\\.)?[0-9]+" _SSLProvider_requested "${PACKAGE_FIND_VERSION}")
if(_SSLProvider_installed STREQUAL _SSLProvider_requested
    AND NOT PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION)
    set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
if(PACKAGE_VERSION VERSION_EQUAL PACKAGE_FIND_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
endif()
