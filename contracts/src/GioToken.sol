// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC6372} from "@openzeppelin/contracts/interfaces/IERC6372.sol";
import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";

import {IGioToken} from "./interfaces/IGioToken.sol";

/// @title GioToken
/// @notice See {IGioToken}.
contract GioToken is ERC20, ERC20Permit, ERC20Votes, IGioToken {
    /* IMMUTABLES */

    address private immutable MINTER;

    /* CONSTRUCTOR */

    /// @param minter_ The bridge, for ever.
    /// @param initialHolder Who receives the initial supply.
    /// @param initialSupply Base units that stand for coins locked from the start (R29).
    constructor(address minter_, address initialHolder, uint256 initialSupply) ERC20("GIO", "GIO") ERC20Permit("GIO") {
        if (minter_ == address(0)) revert MinterZero();
        MINTER = minter_;
        if (initialSupply != 0) _mint(initialHolder, initialSupply);
    }

    modifier onlyMinter() {
        _checkMinter();
        _;
    }

    /* THE BRIDGE */

    /// @inheritdoc IGioToken
    function mint(address to, uint256 amount) external onlyMinter {
        _mint(to, amount);
    }

    /// @inheritdoc IGioToken
    function burn(uint256 amount) external onlyMinter {
        _burn(msg.sender, amount);
    }

    /* VIEWS */

    /// @inheritdoc IGioToken
    function minter() external view returns (address) {
        return MINTER;
    }

    /// @inheritdoc IERC20Metadata
    /// @dev As the coin: 1 GIO is 100,000,000 base units on both chains.
    function decimals() public pure override(ERC20, IERC20Metadata) returns (uint8) {
        return 8;
    }

    /// @inheritdoc IERC6372
    /// @dev Block time, as every deadline of the protocol (F5): voting periods do not depend on the block rate.
    function clock() public view override(Votes, IERC6372) returns (uint48) {
        return Time.timestamp();
    }

    /// @inheritdoc IERC6372
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override(Votes, IERC6372) returns (string memory) {
        return "mode=timestamp";
    }

    /// @inheritdoc IERC20Permit
    function nonces(address owner) public view override(ERC20Permit, Nonces, IERC20Permit) returns (uint256) {
        return super.nonces(owner);
    }

    /* INTERNAL */

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }

    function _checkMinter() private view {
        if (msg.sender != MINTER) revert NotMinter(msg.sender, MINTER);
    }
}
