// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Texts
/// @notice Which bytes a text may consist of. Every caller bounds the length first.
library Texts {
    /// @notice Visible ASCII without spaces: nothing that could fake a line in a list or a second sentence in a proposal.
    function isVisible(string calldata text) internal pure returns (bool) {
        bytes calldata raw = bytes(text);
        for (uint256 i = 0; i < raw.length; ++i) {
            if (raw[i] < 0x21 || raw[i] > 0x7e) return false;
        }
        return true;
    }

    /// @notice Lower-case letters, digits and inner hyphens: no two names look alike, and none needs quoting in a shell.
    function isName(string calldata text) internal pure returns (bool) {
        bytes calldata raw = bytes(text);
        if (raw.length == 0 || raw[0] == "-" || raw[raw.length - 1] == "-") return false;
        for (uint256 i = 0; i < raw.length; ++i) {
            if (!_isLower(raw[i]) && !_isDigit(raw[i]) && raw[i] != "-") return false;
        }
        return true;
    }

    /// @notice What semantic versions are written with: letters, digits, dot, plus, hyphen.
    function isVersion(string calldata text) internal pure returns (bool) {
        bytes calldata raw = bytes(text);
        if (raw.length == 0) return false;
        for (uint256 i = 0; i < raw.length; ++i) {
            bytes1 c = raw[i];
            bool isLetter = _isLower(c) || (c >= "A" && c <= "Z");
            if (!isLetter && !_isDigit(c) && c != "." && c != "+" && c != "-") return false;
        }
        return true;
    }

    function _isLower(bytes1 c) private pure returns (bool) {
        return c >= "a" && c <= "z";
    }

    function _isDigit(bytes1 c) private pure returns (bool) {
        return c >= "0" && c <= "9";
    }
}
