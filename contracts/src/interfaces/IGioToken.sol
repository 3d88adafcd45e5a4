// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC5805} from "@openzeppelin/contracts/interfaces/IERC5805.sol";

/// @title IGioToken
/// @notice GIO on this chain: ERC-20 with permit and votes, 8 decimals, its clock is block time.
/// @dev The constructor fixes minter, initial holder and initial supply; nothing can change them (R12).
interface IGioToken is IERC20Metadata, IERC20Permit, IERC5805 {
    /* ERRORS */

    /// @notice Only the minter mints and burns.
    error NotMinter(address caller, address minter);
    /// @notice A token needs a minter: it could never be changed later.
    error MinterZero();

    /* FUNCTIONS */

    /// @notice Creates `amount` base units for `to`.
    /// @dev Only the minter, which is the bridge: it mints against coins it proved to be locked.
    /// @param to Who receives the tokens.
    /// @param amount Base units.
    function mint(address to, uint256 amount) external;

    /// @notice Destroys `amount` base units of the minter's own balance.
    /// @dev Only the minter, and only what was given to it first: no balance of anyone else can be burnt.
    /// @param amount Base units.
    function burn(uint256 amount) external;

    /// @notice Who may mint and burn, for ever.
    /// @return The minter.
    function minter() external view returns (address);
}
